"""Records, rolls up and prunes usage until it is killed: `endless_keeper.py URL WINDOWS`."""

from __future__ import annotations

import sys
from datetime import timedelta

from storage.opening import open_stores
from tests.contracts.builders import T0, at, batch, window

url, windows = sys.argv[1], int(sys.argv[2])
usage = open_stores(url).stores.usage
sequence = usage.durable_sequence("keeper", 1)
while True:
    minutes = range(sequence * windows, (sequence + 1) * windows)
    sequence += 1
    usage.record([batch(*(window(m) for m in minutes), source="keeper", sequence=sequence)])
    usage.roll_up(at(minutes[-1]))
    usage.prune(at(minutes[-1]) - timedelta(hours=3), T0 - timedelta(days=1))
    sys.stdout.write(f"{sequence}\n")
    sys.stdout.flush()
