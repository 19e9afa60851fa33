"""Stores usage, forecasts, plans, commands and leases in SQLite, PostgreSQL or memory."""
