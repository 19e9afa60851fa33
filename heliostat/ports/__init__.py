"""The ports between packages: their contracts.

A method's docstring says what is returned when nothing is found, whether the call may be repeated
and what it raises. Each port has one contract suite in `tests/contracts`, run on every
implementation.
"""
