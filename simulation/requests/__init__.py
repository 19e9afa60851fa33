"""Sources of single requests, chunked and replayable."""
