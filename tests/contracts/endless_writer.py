"""Records usage until it is killed: `endless_writer.py URL BATCHES WINDOWS`; a line per call."""

from __future__ import annotations

import sys

from storage.opening import open_stores
from tests.contracts.builders import batch, window

url, batches, windows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
usage = open_stores(url).stores.usage
sequence = usage.durable_sequence("writer", 1)
while True:
    told = []
    for _ in range(batches):
        minutes = range(sequence * windows, (sequence + 1) * windows)
        sequence += 1
        told.append(batch(*(window(m) for m in minutes), source="writer", sequence=sequence))
    usage.record(told)
    sys.stdout.write(f"{sequence}\n")
    sys.stdout.flush()
