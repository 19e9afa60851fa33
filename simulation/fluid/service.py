"""What the replicas of each region and model get done in a minute, and how loaded that makes them.

A replica that starts λ requests per second of I input and O output tokens spends λ·P on prefills and
the rest on decode iterations D(b) = d0 + d′·b, d′ = d1 + d2·context/1000, of b sequences each. Tokens
balance at b = λ·O·d0 ÷ (1 − λ·P − λ·O·d′), the gap between a sequence's tokens is
D(b) + b·P/O, and with b at its largest B the replica starts at most 1 ÷ w per second, where
w = P + O·(d0/B + d′) is a request's *work*, in replica-seconds. Pools of one model in a region draw
from one queue per tier, in proportion to what they can do (join the shortest queue does that), the
faster tiers first. Batch work fills only what keeps the token gap within the promise of the tiers
that share the pool.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heliostat.model.engine import KNEE_TOKENS
from heliostat.model.names import Tier
from simulation.columns import Floats
from simulation.fluid.grid import TIERS, Grid

MINUTE_SECONDS = 60.0
BATCH_KEEPS_TOKEN_GAP = 0.9
"""Batch work may stretch the token gap of interactive requests to this share of their promise."""
_BATCH = TIERS.index(Tier.BATCH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A minute's service. Shapes in the letters of Grid; rates per replica are per second."""

    requests: Floats
    """(R, M, K) started."""
    by_pool: Floats
    """(R, M, G, K) started."""
    most: Floats
    """(R, M, K) that could have been started, had they been there."""
    alone: Floats
    """(R, M, K) that a tier could start with all replicas for itself."""
    work: Floats
    """(R, M, G, K) replica-seconds per request."""
    load: Floats
    """(R, M, G) share of the replicas' time, 1 = full."""
    load_up_to: Floats
    """(R, M, G, K) the same, by this tier and those before it."""
    prefill_up_to: Floats
    """(R, M, G, K) share of time in prefills, by this tier and those before it."""
    prefill_seconds: Floats
    """(R, M, G) mean own prefill."""
    batch: Floats
    """(R, M, G) sequences decoding on a replica."""
    largest_batch: Floats
    token_gap: Floats
    """(R, M, G) seconds between two tokens of a sequence (ITL)."""
    iteration: Floats
    """(R, M, G) seconds of one decode iteration."""
    residence: Floats
    """(R, M, G) mean seconds from start to last token."""
    kv_occupancy: Floats


class Service:
    """Computes a minute's service from what is queued; keeps nothing."""

    def __init__(self, grid: Grid, prompt_factors: Floats) -> None:
        """`prompt_factors` (N,) spread prompts around their mean; their mean is 1."""
        self._law = grid.law
        self._factors = prompt_factors
        self._gap_promise = _token_gap_promises(grid)

    def prefill(self, prompt_tokens: Floats) -> Floats:
        """(…, M, G, K) mean prefill seconds of prompts with (…, M, 1, K) mean tokens."""
        beyond = np.zeros_like(prompt_tokens)
        for factor in self._factors:
            beyond += np.maximum(0.0, prompt_tokens * factor - KNEE_TOKENS)
        law = self._law
        return (
            law.prefill_base[:, :, None]
            + law.prefill_per_token[:, :, None] * prompt_tokens
            + law.prefill_beyond_knee[:, :, None] * beyond / len(self._factors)
        )

    def minute(self, wanted: Floats, prompt: Floats, output: Floats, ready: Floats) -> Served:
        """Serve `wanted` (R, M, K) requests with these mean tokens on `ready` (R, M, G) replicas."""
        i, o = prompt[:, :, None, :], output[:, :, None, :]
        law = self._law
        prefill = self.prefill(i)
        context = i + o / 2
        slope = (
            (law.decode_per_sequence[..., None])
            + law.decode_per_kilotoken[..., None] * context / 1000
        )
        largest = np.clip(law.kv_tokens[..., None] / (i + o), 1.0, law.max_batch[..., None])
        work = prefill + o * (law.decode_base[..., None] / largest + slope)
        requests, by_pool, most, left = self._share_out(
            wanted, work, ready, self._ceiling(wanted, prompt, output, prefill, slope, work)
        )
        seconds = np.maximum(ready * MINUTE_SECONDS, 1e-9)
        total = by_pool.sum(axis=-1)
        mix = by_pool / np.maximum(total, 1e-12)[..., None]
        mix = np.where(total[..., None] > 0, mix, 1 / len(TIERS))
        rate = total / seconds
        P, S, out = (
            (mix * x).sum(axis=-1) for x in (prefill, slope, np.broadcast_to(o, work.shape))
        )
        B = (mix * largest).sum(axis=-1)
        d0 = law.decode_base
        room = np.maximum(1e-6, 1 - rate * (P + out * S))
        batch = np.minimum(B, rate * out * d0 / room)
        iteration = d0 + S * np.maximum(batch, 1.0)
        gap = iteration + batch * P / np.maximum(out, 1.0)
        used = by_pool * work / seconds[..., None]
        return Served(
            requests=requests,
            by_pool=by_pool,
            most=most,
            alone=(ready[..., None] * MINUTE_SECONDS / work).sum(axis=2),
            work=work,
            load=np.where(ready > 0, 1 - left / seconds, 0.0),
            load_up_to=np.minimum(1.0, used.cumsum(axis=-1)),
            prefill_up_to=np.minimum(1.0, (by_pool * prefill / seconds[..., None]).cumsum(axis=-1)),
            prefill_seconds=P,
            batch=batch,
            largest_batch=B,
            token_gap=gap,
            iteration=iteration,
            residence=P + out * gap,
            kv_occupancy=np.minimum(1.0, batch * (mix * context).sum(axis=-1) / law.kv_tokens),
        )

    def _share_out(
        self, wanted: Floats, work: Floats, ready: Floats, ceiling: Floats
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Requests, requests by pool, most possible, and the replica-seconds left (R, M, G)."""
        seconds = ready * MINUTE_SECONDS
        left = seconds.copy()
        by_pool, most = np.zeros(work.shape), np.zeros(wanted.shape)
        for k in range(len(TIERS)):
            free = left
            if k == _BATCH:
                free = np.clip(left - (1 - ceiling) * seconds, 0.0, None)
            could = free / work[..., k]
            most[..., k] = could.sum(axis=-1)
            share = np.minimum(1.0, wanted[..., k] / np.maximum(most[..., k], 1e-12))
            by_pool[..., k] = could * share[..., None]
            left = left - free * share[..., None]
        return by_pool.sum(axis=2), by_pool, most, left

    def _ceiling(
        self,
        wanted: Floats,
        prompt: Floats,
        output: Floats,
        prefill: Floats,
        slope: Floats,
        work: Floats,
    ) -> Floats:
        """(R, M, G) the load at which the token gap reaches what batch work may make of it."""
        mix = (wanted + 1e-12) / (wanted + 1e-12).sum(axis=-1, keepdims=True)
        P, S, w = ((mix[:, :, None, :] * x).sum(axis=-1) for x in (prefill, slope, work))
        out = np.maximum(1.0, (mix * output).sum(axis=-1))[..., None]
        promise = np.where(wanted > 0, self._gap_promise, np.inf).min(axis=-1)
        gap = BATCH_KEEPS_TOKEN_GAP * np.where(np.isfinite(promise), promise, 1.0)[..., None]
        batch = np.maximum(0.0, (gap - self._law.decode_base) / (S + P / out))
        ceiling: Floats = np.clip(batch / (out * gap) * w, 0.0, 1.0)
        return ceiling


def _token_gap_promises(grid: Grid) -> Floats:
    """(M, K) seconds per token that each tier promises; infinite where a model has no such tier."""
    return np.array(
        [
            [spec.slo.itl_seconds if (spec := model.tier(tier)) else np.inf for tier in TIERS]
            for model in grid.catalogue.models
        ]
    )
