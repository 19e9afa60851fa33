"""Remembers usage, forecasts, plans, orders and leases in SQLite, PostgreSQL or memory."""
