"""Measures what the documents claim: speed, cost and accuracy."""
