"""The pages of evidence, one module each: what it wants run, how figures become rows and pictures."""
