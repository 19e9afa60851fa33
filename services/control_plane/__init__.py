"""The control plane: one process that remembers, forecasts, plans, orders and routes."""
