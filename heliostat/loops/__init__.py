"""The loops: plain and synchronous; callers pass `now`, and nothing here waits."""
