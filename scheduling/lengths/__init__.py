"""How many tokens a request will generate: predictions learnt from the requests that ended."""
