"""Between the wire and our values, one module per conversation, for servers and clients alike.

`x_to_wire` never fails on a valid value. `x_from_wire` takes the path under which the caller sent
the message, checks everything by hand, and raises InvalidInput naming the field, or an Unknown… error.
"""
