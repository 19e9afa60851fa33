"""Static problems for the solver alone: from a file, or at random; nothing live."""
