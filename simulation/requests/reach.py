"""Which requests could be kept at all: whose promise an idle best replica could keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heliostat.catalogue import FleetCatalogue, TierSpec
from heliostat.model.engine import KNEE_TOKENS, EngineLaw
from heliostat.model.names import DemandKey
from simulation.columns import Floats
from simulation.promised import ttft_seconds
from simulation.requests.columns import RequestColumns


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """One VM type in one region that may serve a demand, and the round trip to it."""

    law: EngineLaw
    round_trip_seconds: float


class Reach:
    """Judges requests of a source whose demands are `demands`, on the pools that the catalogue allows.

    On an idle replica a request's first token comes after the round trip and its own prefill, the
    others at the pace of a batch of one. It is reachable when some replica that may serve it, within
    residency and latency budget, holds its tokens and keeps TTFT, ITL and, where there is one, the
    deadline.
    """

    def __init__(self, catalogue: FleetCatalogue, demands: Sequence[DemandKey]) -> None:
        self._ways = [_ways(catalogue, demand) for demand in demands]
        self._specs = [catalogue.model(demand.model).tier(demand.tier) for demand in demands]
        self._references = [
            None
            if spec is None
            else catalogue.model(demand.model).engines.get(spec.slo.reference_vm_type)
            for demand, spec in zip(demands, self._specs, strict=True)
        ]

    def first_token_seconds(self, requests: RequestColumns) -> Floats:
        """The least TTFT of each request on an idle replica that may serve it; inf where none may."""
        found = np.full(len(requests), np.inf)
        for place in np.unique(requests.demand):
            those = np.flatnonzero(requests.demand == place)
            prompt = requests.input_tokens[those].astype(np.float64)
            for way in self._ways[place]:
                found[those] = np.minimum(found[those], _first_token_seconds(way, prompt))
        return found

    def of(self, requests: RequestColumns) -> NDArray[np.bool_]:
        """Which of the requests are reachable, `(requests,)`."""
        found = np.zeros(len(requests), np.bool_)
        for place in np.unique(requests.demand):
            spec, those = self._specs[place], np.flatnonzero(requests.demand == place)
            if spec is None:
                continue
            prompt = requests.input_tokens[those].astype(np.float64)
            output = requests.output_tokens[those].astype(np.float64)
            reference = self._references[place]
            unloaded = prefill_seconds(reference, prompt) if reference else np.zeros(len(those))
            kept = np.zeros(len(those), np.bool_)
            for way in self._ways[place]:
                kept |= _keeps(way, spec, prompt, output, unloaded)
            found[those] = kept
        return found


def prefill_seconds(law: EngineLaw, prompt: Floats) -> Floats:
    """`EngineLaw.prefill_seconds` of many prompts."""
    beyond = np.maximum(0.0, prompt - KNEE_TOKENS)
    return (
        law.prefill_base
        + law.prefill_per_token * prompt
        + law.prefill_per_token_beyond_knee * beyond
    )


def _keeps(
    way: _Way, spec: TierSpec, prompt: Floats, output: Floats, unloaded: Floats
) -> NDArray[np.bool_]:
    slo, law = spec.slo, way.law
    ttft = _first_token_seconds(way, prompt)
    promised = ttft_seconds(slo.ttft_floor_seconds, slo.ttft_prefill_multiple, unloaded)
    context = prompt + output / 2
    gap = (
        law.decode_base
        + law.decode_per_sequence
        + law.decode_per_sequence_kilotoken * context / 1000
    )
    kept = (ttft <= promised) & (gap <= slo.itl_seconds) & (prompt + output <= law.kv_tokens)
    if slo.deadline is not None:
        kept &= ttft + gap * np.maximum(0.0, output - 1) <= slo.deadline.total_seconds()
    return np.asarray(kept)


def _first_token_seconds(way: _Way, prompt: Floats) -> Floats:
    return way.round_trip_seconds + prefill_seconds(way.law, prompt)


def _ways(catalogue: FleetCatalogue, demand: DemandKey) -> list[_Way]:
    return [
        _Way(
            law=catalogue.law(demand.model, pool.key.vm_type),
            round_trip_seconds=catalogue.round_trip(demand.origin, pool.key.region),
        )
        for pool in catalogue.pools
        if pool.key.model == demand.model
        and pool.max_replicas > 0
        and catalogue.quotas[pool.key.region, pool.key.vm_type] > 0
        and catalogue.may_serve(demand.origin, pool.key.region, demand.model, demand.tier)
    ]
