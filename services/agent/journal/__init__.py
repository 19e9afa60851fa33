"""An agent's durable state: one SQLite file, and a routing file for gateways beside it."""
