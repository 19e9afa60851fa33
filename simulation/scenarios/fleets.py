"""The fleets of the built-in scenarios, as catalogue files would say them.

Engine laws are those that ship with the project (`simulation.profiles`). Replicas are small on purpose:
twenty busy ones then need few requests. Prices are list prices per GPU-hour, rounded; only their
ratios matter to a comparison. As in SageServe's paper the models stand in for others: some of its
prompts are longer than these models were trained for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulation.profiles.shipped import engine_law

Fleet = dict[str, Any]

DOLLARS_PER_GPU_HOUR = {"a100": 4.1, "h100": 12.3, "a40": 1.3}
_GUARDRAILS = {
    "largest_step_out": 20,
    "largest_step_in": 6,
    "cool_down_seconds": 900,
    "stale_after_seconds": 180,
}
_LEAD_TIMES = {
    # Medians of the warm and the redeploying start are SageServe's (own spot VM, other model's VM
    # with and without weights in the region); the cold one and all spreads are assumed.
    "default": {
        "cold": {"p50_seconds": 480, "p90_seconds": 840},
        "warm": {"p50_seconds": 60, "p90_seconds": 120},
        "redeploy-local-weights": {"p50_seconds": 600, "p90_seconds": 900},
        "redeploy-remote-weights": {"p50_seconds": 7200, "p90_seconds": 9000},
    }
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    name: str
    time_zone: str
    price_factor: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hosted:
    """A model, the VM types that it runs on (the first is its reference), and what its tiers promise."""

    name: str
    weights_gb: float
    vm_types: tuple[str, ...]
    itl_seconds: tuple[float, float]
    """Of interactive-fast and of interactive-normal."""
    lengths: tuple[int, int]
    max_batch: int | None = None
    """Sequences that the operator lets run at once; None = as many as were measured."""


US = (
    _Place(name="eastus", time_zone="America/New_York"),
    _Place(name="southcentralus", time_zone="America/Chicago"),
    _Place(name="westus", time_zone="America/Los_Angeles", price_factor=1.05),
)
US_ROUND_TRIPS = {
    "eastus": {"eastus": 4, "southcentralus": 34, "westus": 70},
    "southcentralus": {"southcentralus": 4, "westus": 40},
    "westus": {"westus": 4},
}
"""Within what SageServe publishes: 3–7 ms at home, 31–43 to a neighbour, 69–72 from coast to coast."""

US_GAPS = (0.5, 0.5)
"""Seconds between tokens. SageServe promises none. A quarter of A's answers have 13 tokens or fewer, and
one prompt of another request read in between, 1 to 3 s on these replicas, spreads over so few: any promise
below that is broken by chance as soon as replicas are half busy, whoever plans (docs/decisions/0012)."""
US_BATCH = 7
"""Prompts take most of a replica's time: 16 sequences at once would add a tenth to its throughput. With 8
the week of some seeds has more than ten million requests."""

GLOBE = (
    _Place(name="eastus", time_zone="America/New_York"),
    _Place(name="westeurope", time_zone="Europe/Amsterdam", price_factor=1.1),
    _Place(name="japaneast", time_zone="Asia/Tokyo", price_factor=1.2),
)
GLOBE_ROUND_TRIPS = {
    "eastus": {"eastus": 4, "westeurope": 82, "japaneast": 156},
    "westeurope": {"westeurope": 4, "japaneast": 228},
    "japaneast": {"japaneast": 4},
}


def us_fleet(*, least: int) -> Fleet:
    """SageServe's three US regions; four models of falling size, each on one small VM type.

    `least` replicas stand per model and region; the paper says two.
    """
    models = (
        _Hosted(
            name="llama2-70b",
            weights_gb=138,
            vm_types=("a100x4",),
            itl_seconds=US_GAPS,
            lengths=(6400, 100),
            max_batch=US_BATCH,
        ),
        _Hosted(
            name="bloom-176b",
            weights_gb=352,
            vm_types=("a100x8",),
            itl_seconds=US_GAPS,
            lengths=(3800, 110),
            max_batch=US_BATCH,
        ),
        _Hosted(
            name="llama2-7b",
            weights_gb=13.5,
            vm_types=("a40x1",),
            itl_seconds=US_GAPS,
            lengths=(5000, 240),
            max_batch=US_BATCH,
        ),
        _Hosted(
            name="phi-2",
            weights_gb=5.6,
            vm_types=("a40x1",),
            itl_seconds=US_GAPS,
            lengths=(6900, 360),
            max_batch=US_BATCH,
        ),
    )
    return _fleet(US, US_ROUND_TRIPS, models, quota=40, most=40, least=least)


def globe_fleet() -> Fleet:
    """Three regions round the globe; four models, each on A100s and on H100s."""
    models = (
        _Hosted(
            name="llama2-70b",
            weights_gb=138,
            vm_types=("a100x8", "h100x8"),
            itl_seconds=(0.2, 0.3),
            lengths=(6400, 100),
        ),
        _Hosted(
            name="bloom-176b",
            weights_gb=352,
            vm_types=("a100x8", "h100x8"),
            itl_seconds=(0.2, 0.3),
            lengths=(3800, 110),
        ),
        _Hosted(
            name="llama-3.1-8b",
            weights_gb=16,
            vm_types=("a100x1", "h100x1"),
            itl_seconds=(0.1, 0.2),
            lengths=(5000, 240),
        ),
        _Hosted(
            name="llama-3.2-3b",
            weights_gb=6.4,
            vm_types=("a100x1", "h100x1"),
            itl_seconds=(0.1, 0.2),
            lengths=(6900, 360),
        ),
    )
    return _fleet(GLOBE, GLOBE_ROUND_TRIPS, models, quota=60, most=60, least=1)


def tenants_fleet() -> Fleet:
    """Three regions round the globe; two large models on replicas whose memory is short."""
    models = (
        _Hosted(
            name="llama2-70b",
            weights_gb=138,
            vm_types=("a100x2",),
            itl_seconds=(0.15, 0.3),
            lengths=(750, 120),
        ),
        _Hosted(
            name="bloom-176b",
            weights_gb=352,
            vm_types=("a100x8",),
            itl_seconds=(0.08, 0.1),
            lengths=(750, 120),
        ),
    )
    return _fleet(GLOBE, GLOBE_ROUND_TRIPS, models, quota=60, most=60, least=1)


def _fleet(
    places: Sequence[_Place],
    round_trips: Mapping[str, Mapping[str, float]],
    models: Sequence[_Hosted],
    *,
    quota: int,
    most: int,
    least: int,
) -> Fleet:
    vm_types = sorted({vm_type for model in models for vm_type in model.vm_types})
    return {
        "version": 1,
        "vm_types": [{"name": name, "gpu": _gpu(name), "gpus": _gpus(name)} for name in vm_types],
        "regions": [
            {
                "name": place.name,
                "time_zone": place.time_zone,
                "ingress_endpoint": f"127.0.0.1:{18001 + number}",
                "vm_types": {name: _offer(name, place, quota) for name in vm_types},
            }
            for number, place in enumerate(places)
        ],
        "round_trip_ms": {origin: dict(row) for origin, row in round_trips.items()},
        "models": [_model(model) for model in models],
        "pools": {"min_replicas": least, "max_replicas": most},
        "lead_times": _LEAD_TIMES,
        "guardrails": _GUARDRAILS,
    }


def _offer(vm_type: str, place: _Place, quota: int) -> dict[str, float]:
    dollars = DOLLARS_PER_GPU_HOUR[_gpu(vm_type)] * _gpus(vm_type) * place.price_factor
    return {
        "quota": quota,
        "on_demand": round(dollars, 2),
    }


def _model(model: _Hosted) -> dict[str, Any]:
    prompt, output = model.lengths
    fast, normal = model.itl_seconds
    assumed = {"input_tokens": prompt, "output_tokens": output}
    return {
        "name": model.name,
        "weights_gb": model.weights_gb,
        "engines": {vm_type: _engine(model, vm_type) for vm_type in model.vm_types},
        "tiers": {
            "interactive-fast": {
                "ttft_seconds": 1.0,
                "ttft_prefill_multiple": 3.0,
                "reference_vm_type": model.vm_types[0],
                "itl_seconds": fast,
                "latency_budget_ms": 160,
                **assumed,
            },
            "interactive-normal": {
                "ttft_seconds": 60,
                "itl_seconds": normal,
                "latency_budget_ms": 400,
                **assumed,
            },
            "batch": {
                "ttft_seconds": 86400,
                "itl_seconds": 1.0,
                "latency_budget_ms": 400,
                "deadline_seconds": 86400,
                **assumed,
            },
        },
    }


def _engine(model: _Hosted, vm_type: str) -> dict[str, Any]:
    law = engine_law(model.name, _gpu(vm_type), _gpus(vm_type), max_batch=model.max_batch)
    return {
        "prefill_ms": [
            law.prefill_base * 1000,
            law.prefill_per_token * 1000,
            law.prefill_per_token_beyond_knee * 1000,
        ],
        "decode_ms": [
            law.decode_base * 1000,
            law.decode_per_sequence * 1000,
            law.decode_per_sequence_kilotoken * 1000,
        ],
        "kv_bytes_per_token": law.kv_bytes_per_token,
        "kv_gb": law.kv_bytes_available / 1e9,
        "max_batch": law.max_batch,
        "fitted_batch": min(law.fitted_batch, law.max_batch),
    }


def _gpu(vm_type: str) -> str:
    return vm_type.partition("x")[0]


def _gpus(vm_type: str) -> int:
    return int(vm_type.partition("x")[2])
