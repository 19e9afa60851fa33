"""Bounds for any policy: best steady goodput, linear and integer bounds, the causal oracle."""
