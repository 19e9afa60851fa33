"""The pages of evidence, one module each: what it wants lived, how figures become rows and pictures."""
