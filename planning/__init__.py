"""Decides how many replicas run where, and which region serves which requests."""
