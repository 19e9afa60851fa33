"""One replica alone, iteration by iteration: what an order of its queue is worth."""
