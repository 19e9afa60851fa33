"""How long a thread may keep the interpreter to itself while another waits for it."""

from __future__ import annotations

import sys

_TURN_SECONDS = 0.0005


def take_short_turns() -> None:
    """Half a millisecond instead of five: an agent's tick works in a thread for tens of milliseconds, and
    its event loop, which gives the interpreter away at every look at a socket, would get it back only
    after a whole turn each time. A decision then waited for 50 ms."""
    sys.setswitchinterval(_TURN_SECONDS)
