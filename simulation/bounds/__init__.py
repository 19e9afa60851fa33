"""What no policy can go below: best steady goodput, linear and integer bounds, the causal oracle."""
