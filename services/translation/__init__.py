"""Conversion between wire messages and domain values, one module per service, for servers and clients.

`x_to_wire` never fails on a valid value. `x_from_wire` takes the path under which the caller sent
the message, checks everything by hand, and raises InvalidInput naming the field, or an Unknown… error.
"""
