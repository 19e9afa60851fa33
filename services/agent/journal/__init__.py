"""What an agent remembers: one SQLite file per agent, one routing file for the gateways beside it."""
