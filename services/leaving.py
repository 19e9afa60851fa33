"""How a process ends: by which signals, and how although a thread still works on what no longer counts.

Python waits for such threads, and none can be ended from outside. Nothing is lost: what they would still
write is fenced off (control plane) or worked out again from the journal (agent), as after kill -9.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import Never


def ending_signals() -> tuple[signal.Signals, ...]:
    """The signals that end a process in order; a terminal that hangs up too, unless somebody (nohup) had
    that ignored."""
    ends = (signal.SIGTERM, signal.SIGINT)
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return ends if ignored else (*ends, signal.SIGHUP)


def leave() -> Never:
    """End this process now, as done."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
