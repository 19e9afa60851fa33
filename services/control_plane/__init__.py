"""The control plane: one process that stores history, forecasts, plans, orders and routes."""
