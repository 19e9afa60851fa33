"""Named experiments: a fleet, its demand with a past, and what goes wrong."""
