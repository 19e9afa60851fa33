"""Who asks when and for how much: sources of single requests, chunked and replayable."""
