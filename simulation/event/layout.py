"""What the compiled code remembers: records of requests, replicas, cells, demands, windows and laws.

A *cell* is one model in one region: its replicas, its queues. Replicas of a cell stand in a block of
consecutive slots. Seconds count from the workload's start; −1 stands for nobody or never.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from heliostat.model.latency import BUCKET_RANGE
from simulation.event.compiled import SIZE, record, view

NOBODY = -1
BLOCK_TOKENS = 16
BLOCK_SLACK_TOKENS = 0.5 * (BLOCK_TOKENS - 1)
"""Memory comes in blocks; on the mean so many tokens of a sequence's last block are empty."""

OFF, SERVING, DRAINING, LEAVING = 0, 1, 2, 3
"""What a replica may do with requests. LEAVING: the cloud took the VM a moment too early, and what
runs ends all the same."""

IDLE, PREFILL, DECODE, CHUNKS, LAST_CHUNK = 0, 1, 2, 3, 4
"""What a replica does now. PREFILL stalls decoding; CHUNKS are iterations that carry a part of one
prompt, LAST_CHUNK is one that carries the rest of it and parts of others."""

BECOMES_READY, DRAINS, GOES, FAILS = 0, 1, 2, 3
"""What befalls a replica."""

BATCH = 2
"""The tier's place; those before it are interactive, the fast one first."""
TIERS = 3

LOWEST_BUCKET = BUCKET_RANGE.start
BUCKETS = len(BUCKET_RANGE)
KINDS = 3
"""Latencies: TTFT, ITL, E2E."""

BACKLOG_BINS = 128
DEADLINE_BINS = 96
"""Waiting batch work is counted by deadline, in 96ths of the time that it has."""

GAP_SAMPLES = 64
"""Gaps between tokens that a batch controller remembers of its period."""


def _record(*groups: tuple[str, str]) -> np.dtype[Any]:
    columns = [(name, kind) for kind, names in groups for name in names.split()]
    return np.dtype(columns, align=True)


REQUEST = _record(
    # `arrival`: of its first attempt; `key`: its place in the queue that it waits in, the instant
    # at which it comes in while it lines up.
    ("f8", "arrival key"),
    # Seconds after its arrival: `joined`, when this attempt began, `first`, when its first token
    # came. `estimate`: replica-seconds that its output is expected to take.
    ("f4", "joined_after first_after estimate"),
    # `done`: tokens that it had generated when it last gave way; `next` hangs it into the list or
    # queue that it is in; `mark`: in a queue its first child, on a replica how late it was admitted.
    ("i4", "input output done next mark window"),
    ("u4", "number"),
    ("i2", "demand"),
    # `late`: its first token came after its promise, however the rest goes.
    ("u1", "tier attempt lost promoted swapped late"),
)
assert REQUEST.itemsize == 64, "a request fills a line of the processor's cache"

ABSENCE = _record(
    # Of a sequence that gave way: since when it has been out of a batch; seconds that it was out of one
    # since its first token (counted of batch work only).
    ("f8", "since seconds"),
    # The number of the VM whose host keeps its memory, while `swapped`.
    ("i8", "keeper"),
)
"""A row per request, looked at for those that gave way only."""

REPLICA = _record(
    # When its present doing began; what the first iteration takes, and each further one more.
    ("f8", "clock first_seconds growth_seconds"),
    # Its law: seconds per iteration, sequence, token of context; per prefill, token, token beyond
    # the knee; per expected output token; per token copied to or from the
    # host. `decode_share` is `decode_base` ÷ `most`.
    ("f8", "decode_base decode_sequence decode_token"),
    ("f8", "prefill_base prefill_token prefill_knee output_seconds copy_seconds decode_share"),
    # Work done at the rate of a full replica: in all, and in the last two slots of ten seconds.
    ("f8", "busy load_now load_before load_begun"),
    # What the present doing, unless it is plain decoding, takes and is worth.
    ("f8", "doing_seconds doing_work"),
    # Work and instant of the two gauges before.
    ("f8", "seen seen_at seen_before seen_before_at"),
    # When its queue's keys were renewed; the batch controller's size, ticks, rate before, and how
    # long running sequences have been stalled.
    ("f8", "renewed batch_size tick ticked rate_before stalled"),
    # Output tokens that are expected of all who wait or run here; when the first of those who came to
    # wait since nobody did must have its first token.
    ("f8", "expected first_due"),
    # Tokens of memory: it has, sequences hold; tokens of context that an iteration reads, and that
    # batch work has of these.
    ("i8", "memory held_tokens context batch_tokens"),
    ("i8", "iteration iterations generated"),
    # Prompt tokens of all who wait or run here; those still to be prefilled of who waits.
    ("i8", "prompts waiting_tokens"),
    # Which of all VMs that ever stood it is: another one in the same slot has another number.
    ("i8", "number"),
    ("i4", "pool standing phase most limit turn"),
    # Sequences that hold memory, by tier; that decode; of these the batch ones.
    ("i4", "held held_fast held_normal held_batch running running_batch"),
    ("i4", "queue waiting"),
    # Prompts being prefilled: a list, the tokens left in it, and those of its head that are done.
    ("i4", "prompts_head prompts_tail prompt_tokens head_done chunk completes partial"),
    ("i4", "gaps stalled_sequences grew"),
)

CELL = _record(
    ("f8", "poll gap_fast gap_normal gap_batch"),
    ("i8", "draws"),
    ("i4", "region model base slots used ready rotation change change_end"),
    # Tokens of memory of the smallest and of the largest replica that takes requests.
    ("i4", "least_memory most_memory"),
    ("i4", "arrivals_head arrivals_tail held_head held_tail batch_queue batch_waiting"),
)

DEMAND = _record(
    # Seconds to the first token: max(floor, multiple × prefill on the reference).
    ("f8", "floor multiple reference_base reference_token reference_knee"),
    ("f8", "gap finish patience home_trip"),
    ("i8", "offered shed completed retried lost preempted evicted input output met reachable"),
    # In flight, with a first token that came too late.
    ("i8", "late"),
    ("i4", "origin model tier unused"),
)

LAW = _record(
    ("f8", "decode_base decode_sequence decode_token prefill_base prefill_token prefill_knee"),
    ("i4", "model unused"),
)

WINDOW = _record(
    ("i8", "input output"),
    ("i4", "series minute offered rejected retried completed open revision changed next"),
)

CHANGE = _record(("f8", "at"), ("i4", "what slot"))

NODE = _record(("f8", "at"), ("i8", "slot"))

END = _record(("i8", "key"))

ARRAYS: dict[str, np.dtype[Any]] = {
    "requests": REQUEST,
    "absences": ABSENCE,
    "replicas": REPLICA,
    "cells": CELL,
    "demands": DEMAND,
    "laws": LAW,
    "windows": WINDOW,
    "changes": CHANGE,
    "nodes": NODE,
    "ends": END,
    "work": np.dtype("f8"),
    "due": np.dtype("f8"),
    "shares": np.dtype("f8"),
    "trips": np.dtype("f8"),
    "expected_output": np.dtype("f8"),
    "binned_output": np.dtype("f8"),
    "current": np.dtype("i4"),
    "latencies": np.dtype("i8"),
    "sketches": np.dtype("i4"),
    "backlog": np.dtype("i8"),
    "gaps": np.dtype("f8"),
}
"""Every array that hangs on the world's record, by name."""

WORLD = _record(
    *(("i8", f"{name} {name}{SIZE}") for name in ARRAYS),
    # Lists of free records, and the queue of requests that come back.
    ("i8", "free_request free_window returning arrivals in_flight"),
    ("i8", "seed regions models origins slot_sequences minute with_sketches"),
    # The local policy, as numbers.
    (
        "i8",
        "dispatch chunked most_prefill chunk swaps admits_batch evicts_batch timed_order rising_order",
    ),
    ("i8", "controls first_size retries"),
    ("f8", "step_end one_below two_below promoted_after order_a order_b"),
    ("f8", "back_off returns growth"),
    ("f8", "smoothing period gap_quantile binding_share largest_growth"),
    ("i8", "predicts knows_lengths"),
    ("f8", "memory_share time_margin length_error foresight spread_beyond"),
)

requests = record("requests", REQUEST)
absences = record("absences", ABSENCE)
replicas = record("replicas", REPLICA)
cells = record("cells", CELL)
demands = record("demands", DEMAND)
laws = record("laws", LAW)
windows = record("windows", WINDOW)
changes = record("changes", CHANGE)
nodes = record("nodes", NODE)
ends = record("ends", END)
work = view("work", ARRAYS["work"])
due = view("due", ARRAYS["due"])
shares = view("shares", ARRAYS["shares"])
trips = view("trips", ARRAYS["trips"])
expected_output = view("expected_output", ARRAYS["expected_output"])
binned_output = view("binned_output", ARRAYS["binned_output"])
current = view("current", ARRAYS["current"])
latencies = view("latencies", ARRAYS["latencies"])
sketches = view("sketches", ARRAYS["sketches"])
backlog = view("backlog", ARRAYS["backlog"])
gaps = view("gaps", ARRAYS["gaps"])
