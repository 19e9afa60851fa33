"""How many sequences may run on a replica at a time."""
