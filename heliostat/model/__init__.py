"""Domain types: frozen values that validate themselves on construction."""
