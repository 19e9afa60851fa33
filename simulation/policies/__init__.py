"""Who decides in a simulated world: one module a policy, one line in `registry`."""
