"""Policies of simulated worlds: one module each, one line in `registry`."""
