"""Runs the production loops on an event queue, against simulated regions and engines."""
