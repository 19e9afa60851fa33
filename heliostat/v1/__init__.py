"""The wire contract in Python, made from `proto/heliostat/v1`; never edited by hand."""
