"""Baseline scaling policies, as planners behind the same port."""
