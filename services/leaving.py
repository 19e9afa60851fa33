"""Ends a process although a thread of it still works on something that no longer counts.

Python waits for such threads, and none can be ended from outside. Nothing is lost: what they would still
write is fenced off (control plane) or worked out again from the journal (agent), as after kill -9.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Never


def leave() -> Never:
    """End this process now, as done."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
