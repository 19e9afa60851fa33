"""The control plane: gathers usage, publishes plans and routes, and hands out orders."""
