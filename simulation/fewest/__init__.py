"""The fewest GPUs that keep a region's promises, per placement rule, on the event engine."""
