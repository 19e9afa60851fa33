"""In which order and in which batches a replica's queue runs: SLO-aware annealing and its rivals."""
