"""Which signals end a process in order."""

import signal

import pytest

from services.leaving import ending_signals


@pytest.mark.parametrize(("now", "ends"), [(signal.SIG_DFL, True), (signal.SIG_IGN, False)])
def test_a_terminal_that_hangs_up_ends_us_unless_that_is_ignored(
    now: signal.Handlers, ends: bool
) -> None:
    before = signal.signal(signal.SIGHUP, now)
    try:
        assert (signal.SIGHUP in ending_signals()) is ends
    finally:
        signal.signal(signal.SIGHUP, before)
