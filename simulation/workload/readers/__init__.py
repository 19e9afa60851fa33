"""Readers of traces and load series: one module per format, one place for the rules that all rows obey."""
