"""Latencies of requests: the fluid's waits plus random queueing, sampled into buckets.

A request's TTFT = network round trip + wait behind the backlog (exact for the fluid: the horizontal
distance of the curves of arrivals and starts) + wait by chance (`waiting`) + half a decode iteration
+ its own prefill. E2E adds a token gap per further token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heliostat.model.engine import KNEE_TOKENS
from heliostat.model.latency import FLOOR_SECONDS, LOG_GAMMA, bucket_of
from simulation.columns import Floats
from simulation.fluid.grid import Grid
from simulation.fluid.lattice import OUTPUT_SCV, POINTS, PROMPT_SCV, Samples
from simulation.fluid.ledger import Buckets, Chunk
from simulation.fluid.promises import Promises
from simulation.fluid.service import MINUTE_SECONDS, Served
from simulation.fluid.waiting import drawn_wait, mean_wait, waiting_share

_LOWEST, _HIGHEST = bucket_of(0.0), bucket_of(1e9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A chunk of requests that start in this minute, with all that decides their latency."""

    chunk: Chunk
    place: tuple[int, int, int, int]
    """(r, m, k, o)."""
    window_second: float
    """When the chunk's window began, in seconds after this minute's beginning (≤ 0)."""
    ahead: float
    """Requests of the series that had started before this minute."""
    most: float
    """How many of the series could start in this minute."""
    prompt: float
    output: float
    """Mean tokens."""


class Latencies:
    """Samples the latencies of starts; keeps nothing."""

    def __init__(self, grid: Grid, promises: Promises, *, with_sketches: bool) -> None:
        self._with_sketches = with_sketches
        self._law = grid.law
        self._round_trip = grid.round_trip
        self._promises = promises

    def waits(self, served: Served, ready: Floats) -> tuple[Floats, Floats]:
        """(R, M, G, K) mean wait by chance in seconds, and the share of requests that wait."""
        n = np.maximum(1.0, ready)[..., None]
        slots = n * served.largest_batch[..., None]
        full_stay = served.work * served.largest_batch[..., None]
        for_slot = mean_wait(served.load_up_to, slots, full_stay, OUTPUT_SCV, MINUTE_SECONDS)
        for_prefill = mean_wait(
            served.prefill_up_to, n, served.prefill_seconds[..., None], PROMPT_SCV, MINUTE_SECONDS
        )
        slot_decides = for_slot > for_prefill
        share = np.where(
            slot_decides,
            waiting_share(served.load_up_to, slots),
            waiting_share(served.prefill_up_to, n),
        )
        return np.maximum(for_slot, for_prefill), share

    def book(
        self,
        starts: Sequence[Start],
        served: Served,
        waits: tuple[Floats, Floats],
        points: Samples,
    ) -> Floats:
        """Put the starts' latencies into their windows' buckets; returns (C,) requests that kept
        every promise of their tier."""
        r, m, k, o = np.array([start.place for start in starts]).T
        prompt = np.array([s.prompt for s in starts])[:, None] * points.prompt
        output = np.maximum(1.0, np.array([s.output for s in starts])[:, None] * points.output)
        wait, share = (array[r, m, :, k][:, :, None] for array in waits)
        start_wait = _backlog_wait(starts, points) + self._round_trip[r, o][:, None]
        gap = served.token_gap[r, m][:, :, None]
        prefill = self._prefill(m, prompt)
        ttft = (
            start_wait[:, None, :]
            + drawn_wait(wait, share, points.luck)
            + served.iteration[r, m][:, :, None] / 2
            + prefill
        )
        e2e = ttft + (output[:, None, :] - 1) * gap
        reference = prefill[np.arange(len(starts)), self._promises.reference[m, k]]
        kept = (
            (ttft <= self._promises.ttft(m, k, reference)[:, None, :])
            & (gap <= self._promises.token_gap[m, k][:, None, None])
            & (e2e <= self._promises.finish[m, k][:, None, None])
        )
        by_pool = served.by_pool[r, m, :, k]
        weights = by_pool / by_pool.sum(axis=1, keepdims=True)
        if self._with_sketches:
            self._fill(starts, weights, ttft, np.broadcast_to(gap, ttft.shape), e2e)
        requests = np.array([s.chunk.last - s.chunk.first for s in starts])
        met: Floats = requests * (weights * kept.mean(axis=2)).sum(axis=1)
        return met

    def _prefill(self, m: NDArray[np.int64], prompt: Floats) -> Floats:
        """(C, G, N) unloaded prefill seconds of (C, N) prompts."""
        law, tokens = self._law, prompt[:, None, :]
        return (
            law.prefill_base[m][:, :, None]
            + law.prefill_per_token[m][:, :, None] * tokens
            + law.prefill_beyond_knee[m][:, :, None] * np.maximum(0.0, tokens - KNEE_TOKENS)
        )

    def _fill(
        self, starts: Sequence[Start], weights: Floats, ttft: Floats, gap: Floats, e2e: Floats
    ) -> None:
        """Whole requests per point: rounded running sums, so that they add up."""
        whole = np.array([_newly_whole(start.chunk) for start in starts])
        shares = np.repeat(weights / POINTS, POINTS, axis=1)
        edges = np.floor(whole[:, None] * np.cumsum(shares, axis=1) + 0.5)
        edges[:, -1] = whole
        counts = np.diff(edges, axis=1, prepend=0.0).astype(np.int64)
        c, g, n = ttft.shape
        kinds = [_buckets(x).reshape(c, g * n) for x in (ttft, e2e)]
        gap_counts = counts.reshape(c, g, n).sum(axis=2)
        gap_buckets = _buckets(gap[:, :, 0])
        for row, start in enumerate(starts):
            window = start.chunk.window
            if whole[row]:
                window.sampled += int(whole[row])
                _add(window.ttft, kinds[0][row], counts[row])
                _add(window.e2e, kinds[1][row], counts[row])
                _add(window.itl, gap_buckets[row], gap_counts[row])
                window.changed = True


def _newly_whole(chunk: Chunk) -> int:
    started = int(chunk.last + 1e-6) - chunk.window.before
    return max(0, min(started, chunk.window.admitted) - chunk.window.sampled)


def _backlog_wait(starts: Sequence[Start], points: Samples) -> Floats:
    """(C, N) seconds between arrival and start in the fluid, by position in the chunk."""
    first = np.array([s.chunk.first for s in starts])[:, None]
    last = np.array([s.chunk.last for s in starts])[:, None]
    before = np.array([s.chunk.window.before for s in starts])[:, None]
    admitted = np.array([s.chunk.window.admitted for s in starts])[:, None]
    ahead = np.array([s.ahead for s in starts])[:, None]
    most = np.array([s.most for s in starts])[:, None]
    position = first + (last - first) * points.position
    arrived = np.array([s.window_second for s in starts])[:, None] + MINUTE_SECONDS * (
        position - before
    ) / np.maximum(admitted, 1)
    started = MINUTE_SECONDS * (position - ahead) / np.maximum(most, 1e-9)
    waited: Floats = np.maximum(0.0, started - arrived)
    return waited


def _buckets(seconds: Floats) -> NDArray[np.int64]:
    """`heliostat.model.latency.bucket_of`, for arrays."""
    places = np.ceil(np.log(np.maximum(seconds, FLOOR_SECONDS)) / LOG_GAMMA)
    return np.clip(places, _LOWEST, _HIGHEST).astype(np.int64)


def _add(into: Buckets, buckets: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
    for bucket, count in zip(buckets.tolist(), counts.tolist(), strict=True):
        if count:
            into[bucket] = into.get(bucket, 0) + count
