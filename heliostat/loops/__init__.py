"""The loops, plain and synchronous: whoever calls them passes `now`, nothing here waits."""
