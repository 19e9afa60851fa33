"""Experiments: many runs of a simulated world, compared fairly and kept so that nothing is lost."""
