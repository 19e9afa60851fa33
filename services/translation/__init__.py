"""Translates between wire messages and domain values, and checks what comes in."""
