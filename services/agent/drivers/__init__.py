"""Cloud drivers, all with the same contract."""
