"""What happens inside a region, the same for all replicas of a run: values that the event engine reads.

Order of the queue, which replica gets a request, how prompts are prefilled, what gives way when
memory is full, how large a batch may grow, and when batch work is let in. Nothing is decided here.
The fluid engine has one fixed behaviour and reads none of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from heliostat.errors import InvalidInput
from scheduling.batch_size.settings import BatchSize as BatchSize
from scheduling.batch_size.settings import ChironBatchSize as ChironBatchSize
from scheduling.batch_size.settings import StaticBatchSize as StaticBatchSize
from scheduling.placement.margins import Margins
from scheduling.sageserve import BatchAdmission as BatchAdmission
from scheduling.sageserve import DpaBounds as DpaBounds


class Order(StrEnum):
    """Who of those who wait is served first (SageServe, POMACS 9(3) 61, order on an instance)."""

    FCFS = "fcfs"
    """First come, first served."""
    EDF = "edf"
    """The least time left to the TTFT deadline."""
    FIRM = "firm"
    """As EDF while the deadline can be met, behind all others once it cannot."""
    PF = "pf"
    """Interactive-fast before interactive-normal before batch, each in order of arrival."""
    DPA = "dpa"
    """Deadline and priority: see `scheduling.sageserve.DpaBounds`."""


class Dispatch(StrEnum):
    """Which replica of a pool gets a request."""

    LEAST_WORK = "least-work"
    """The one with the fewest tokens still to process (SageServe's join the shortest queue)."""
    PACK = "pack"
    """The fullest one that still has room (Chiron)."""
    POWER_OF_TWO = "power-of-two"
    """The one with less work of two drawn by chance."""
    RANDOM = "random"
    ROUND_ROBIN = "round-robin"
    """One after the other."""
    BEST_FIT = "best-fit"
    """Aladdin's: the fullest one that keeps every promise; the one with least work where none would.
    See `Fit`."""
    KV_BEST_FIT = "kv-best-fit"
    """The one with least memory left that holds the request's predicted end too."""
    FREENESS = "freeness"
    """Llumnix's: the one that could go on for most iterations, memory ÷ batch."""


class Prefill(StrEnum):
    """How prompts and running sequences share a replica."""

    WHOLE = "whole-prompts"
    """A prefill of whole prompts stalls decoding."""
    CHUNKS = "chunks"
    """Each iteration carries a part of a prompt beside the running sequences."""


class Preemption(StrEnum):
    """What becomes of a sequence that gives way, for lack of memory or to interactive work."""

    RECOMPUTE = "recompute"
    """Its memory is dropped; prompt and what was generated are prefilled again."""
    SWAP = "swap"
    """Its memory waits in the host and is copied back (Chiron's fast restart)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What best fit leaves unused, and what it knows of output lengths.

    `length_error` None: it learns them, a mean by region, model, tier and bin of the prompt, from those
    that ended. A share e: it is told them, times a factor drawn evenly from [1 − e, 1 + e] (0 = the
    truth); experiments only.
    """

    margins: Margins = Margins()
    length_error: float | None = None

    def __post_init__(self) -> None:
        if self.length_error is not None and not 0 <= self.length_error <= 1:
            raise InvalidInput("fit.length_error", f"{self.length_error} is not within [0, 1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPolicy:
    """How replicas work; the default is a plain engine of today.

    `batch_admission` None: batch requests are dispatched at once and queue in `order`.
    `too_late_share`: under `firm`, a promise of which less than this share is left cannot be kept; a
    prompt's own prefill takes up to a third of one (SageServe: TTFT within 3 times the prefill alone).
    `max_prefill_tokens` bound a prefill of whole prompts (one prompt always fits), `chunk_tokens`
    an iteration with chunks. `interactive_evicts_batch`: running batch work gives way, by
    `preemption`, to an interactive request that finds no room. A swapped sequence is copied to and
    from the host at `host_copy_bytes_per_second` (our assumption: what one PCIe 4.0 link of 16 lanes
    carries in practice), and the replica stands still meanwhile.
    """

    order: Order = Order.FCFS
    dpa: DpaBounds = DpaBounds()
    too_late_share: float = 1 / 3
    dispatch: Dispatch = Dispatch.LEAST_WORK
    fit: Fit = Fit()
    prefill: Prefill = Prefill.WHOLE
    max_prefill_tokens: int = 8192
    chunk_tokens: int = 512
    preemption: Preemption = Preemption.RECOMPUTE
    host_copy_bytes_per_second: float = 25e9
    batch_size: BatchSize = StaticBatchSize()
    batch_admission: BatchAdmission | None = BatchAdmission()
    interactive_evicts_batch: bool = False

    def __post_init__(self) -> None:
        if min(self.max_prefill_tokens, self.chunk_tokens) < 1:
            raise InvalidInput("local_policy", "prefills need at least one token")
        if not 0 <= self.too_late_share < 1:
            raise InvalidInput("too_late_share", f"{self.too_late_share} is not within [0, 1)")
        if self.host_copy_bytes_per_second <= 0:
            raise InvalidInput("local_policy", "copies need a positive rate")
