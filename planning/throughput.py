"""How many requests a replica serves within its SLO (θ), and where it cannot.

A replica that decodes `b` sequences and prefills in between, at λ requests per second of I input
and O output tokens, splits its time: λ·P for prefills (P = prefill time of one prompt), the rest for
decode iterations of D(b) seconds that give each sequence one token. Balance of tokens,
λ·O = b·(1 − λP) ÷ D, and Little's law give

    ITL(b) = D(b) + b·P/O        λ(b) = b ÷ (O · ITL(b)).

Both grow with b, so θ = λ(b*) at the largest batch b* that ITL SLO, KV memory and `max_batch` allow:
with D = d0 + d1·b + d2·b·context/1000, b* = (ITL SLO − d0) ÷ (d1 + d2·context/1000 + P/O).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from heliostat.catalogue import FleetCatalogue, ModelSpec, TierSpec
from heliostat.model.demand import TokenMix
from heliostat.model.engine import EngineLaw
from heliostat.model.names import DemandKey, ModelName, Tier, VmTypeName
from heliostat.read_only import read_only

_KEPT = 16384
_MIXES_KEPT = 4
"""Catalogues and mixes; a control loop plans and routes for a quarter of an hour by the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """What one replica does for one tier's mix; θ = 0 with the reason where it cannot meet the SLO."""

    model: ModelName
    vm_type: VmTypeName
    tier: Tier
    requests_per_second: float
    batch: float = 0.0
    prefill_share: float = 0.0
    """The share of its time that a replica at θ spends in prefills."""
    slack_over_service: float = 0.0
    """w ÷ τ: how long a request may wait for a slot, in service times."""
    attainment: float = 0.99
    excluded: str = ""


Thetas = Mapping[tuple[DemandKey, VmTypeName], Throughput]
"""θ at each origin's mix, and at that of all origins together (EVERYWHERE)."""


def throughput(model: ModelSpec, vm_type: VmTypeName, spec: TierSpec, mix: TokenMix) -> Throughput:
    """θ of one model, VM type and tier at a mix (SLO as the catalogue promises it)."""
    input_tokens = max(1.0, mix.input_tokens)
    return _throughput(
        model.name,
        vm_type,
        spec,
        model.engines[vm_type],
        model.ttft_seconds(spec, input_tokens),
        input_tokens,
        max(1.0, mix.output_tokens),
    )


@lru_cache(maxsize=_KEPT)
def _throughput(
    model: ModelName,
    vm_type: VmTypeName,
    spec: TierSpec,
    law: EngineLaw,
    ttft: float,
    input_tokens: float,
    output_tokens: float,
) -> Throughput:
    """`throughput` of values that can be remembered; `ttft` is the promise in seconds."""
    prefill = law.prefill_seconds(input_tokens)
    per_sequence = seconds_per_sequence(law, input_tokens, output_tokens)
    batch = min(
        (spec.slo.itl_seconds - law.decode_base) / per_sequence,
        float(law.batch_fitting(input_tokens + output_tokens)),
    )
    nothing = Throughput(model=model, vm_type=vm_type, tier=spec.tier, requests_per_second=0.0)
    why = _excluded(prefill, ttft, batch, law.decode_base + per_sequence, spec.slo.itl_seconds)
    if why:
        said = f"{model} on {vm_type} cannot serve {spec.tier}: {why}"
        return replace(nothing, excluded=said)
    token_gap = law.decode_base + per_sequence * batch
    rate = batch / (output_tokens * token_gap)
    return replace(
        nothing,
        requests_per_second=rate,
        batch=batch,
        prefill_share=min(1.0, rate * prefill),
        slack_over_service=(ttft - prefill) / (output_tokens * token_gap),
        attainment=spec.slo.attainment,
    )


def seconds_per_sequence(law: EngineLaw, input_tokens: float, output_tokens: float) -> float:
    """What one more sequence adds to the gap between tokens, its share of prefills included."""
    context = input_tokens + output_tokens / 2
    return (
        law.decode_per_sequence
        + law.decode_per_sequence_kilotoken * context / 1000
        + law.prefill_seconds(input_tokens) / output_tokens
    )


def _excluded(prefill: float, ttft: float, batch: float, token_gap_alone: float, itl: float) -> str:
    """Why the SLO is out of reach, all in seconds; "" when it is not."""
    if prefill > ttft:
        return f"an idle replica needs {prefill:.2f} s to the first token, {ttft:.2f} s allowed"
    if batch < 1:
        alone, allowed = token_gap_alone * 1000, itl * 1000
        return f"one sequence alone needs {alone:.0f} ms per token, {allowed:.0f} ms allowed"
    return ""


def throughputs(
    catalogue: FleetCatalogue, mixes: Sequence[TokenMix]
) -> dict[tuple[ModelName, VmTypeName, Tier], Throughput]:
    """θ of everything that the catalogue offers; a mix that is not given is the catalogue's."""
    known = catalogue.mixes(mixes)
    return {
        (model.name, vm_type, spec.tier): throughput(
            model, vm_type, spec, known[model.name, spec.tier]
        )
        for model in catalogue.models
        for spec in model.tiers
        for vm_type in model.engines
    }


def demand_throughputs(catalogue: FleetCatalogue, mixes: Sequence[TokenMix]) -> Thetas:
    """θ at the lengths of each origin's own requests, and of all origins' together."""
    return _demand_throughputs(catalogue, tuple(mixes))


@lru_cache(maxsize=_MIXES_KEPT)
def _demand_throughputs(catalogue: FleetCatalogue, mixes: tuple[TokenMix, ...]) -> Thetas:
    found: dict[tuple[DemandKey, VmTypeName], Throughput] = {}
    for key, mix in catalogue.demand_mixes(mixes).items():
        model = catalogue.model(key.model)
        for vm_type in model.engines:
            found[key, vm_type] = throughput(model, vm_type, model.offered(key.tier), mix)
    return read_only(found)


def common_throughput(
    thetas: Thetas, everywhere: DemandKey, vm_type: VmTypeName, own: Iterable[DemandKey]
) -> Throughput:
    """θ at the mix of all origins. Where that mix is out of reach and that of some of `own` is not, the
    one of these whose requests may wait least: they need slots in time all the same."""
    common = thetas[everywhere, vm_type]
    if common.requests_per_second > 0:
        return common
    able = [rate for key in own if (rate := thetas[key, vm_type]).requests_per_second > 0]
    return min(able, key=lambda rate: rate.slack_over_service, default=common)
