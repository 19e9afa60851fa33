"""Routing between two plans: shares per origin, model and tier."""
