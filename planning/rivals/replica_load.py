"""The load a replica shows at a given share of its throughput, for tuning thresholds.

Rules that count requests or memory need one threshold a model, found by a load test. We take it from
the engine law instead: at λ requests per second of I input and O output tokens the batch obeys
λ·O = b ÷ (d0 + s·b), s = d1 + d2·context/1000 + P/O (see `planning.throughput`), so b = λ·O·d0 ÷ (1 − λ·O·s).
Prompts are long and outputs short, so b grows slowly up to 80 % of the throughput and then steeply.
"""

from __future__ import annotations

from dataclasses import dataclass

from heliostat.catalogue import ModelSpec
from heliostat.model.demand import TokenMix
from heliostat.model.names import PoolKey, Tier
from heliostat.ports.deciding import PlanningProblem
from planning.throughput import seconds_per_sequence, throughput

BLOCK_TOKENS = 16
"""Tokens in one block of KV memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaLoad:
    """One replica of a pool under the model's mean request, within its strictest interactive SLO."""

    requests_per_second: float
    """θ: the most within the SLO."""
    request_tokens: float
    """Prompt and output of a mean request."""
    output_tokens: float
    decode_base: float
    per_sequence: float
    """s above: seconds that one more sequence adds to the gap between tokens."""

    def in_flight(self, share: float) -> float:
        """Requests that run at once while the replica does that share of θ."""
        tokens_per_second = share * self.requests_per_second * self.output_tokens
        return tokens_per_second * self.decode_base / (1 - tokens_per_second * self.per_sequence)

    @property
    def request_blocks(self) -> float:
        """KV blocks that a mean request holds when it ends."""
        return self.request_tokens / BLOCK_TOKENS


def replica_load(problem: PlanningProblem, pool: PoolKey) -> ReplicaLoad | None:
    """The load of one replica at the mix as measured; None where the VM type can serve no tier."""
    model = problem.catalogue.model(pool.model)
    mix = mean_mix(problem, model)
    for spec in sorted(
        model.tiers, key=lambda spec: (spec.tier is Tier.BATCH, spec.slo.itl_seconds)
    ):
        rate = throughput(model, pool.vm_type, spec, mix)
        if rate.requests_per_second > 0:
            return _load(model, pool, mix, rate.requests_per_second)
    return None


def mean_mix(problem: PlanningProblem, model: ModelSpec) -> TokenMix:
    """Mean tokens per request over the model's tiers, weighed by how many requests were measured."""
    known = problem.catalogue.mixes(problem.mixes)
    mixes = [known[model.name, spec.tier] for spec in model.tiers]
    weights = [mix.requests for mix in mixes]
    if not any(weights):
        weights = [1] * len(mixes)

    def mean(values: list[float]) -> float:
        return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)

    return TokenMix(
        model=model.name,
        tier=model.tiers[0].tier,
        input_tokens=mean([mix.input_tokens for mix in mixes]),
        output_tokens=mean([mix.output_tokens for mix in mixes]),
        requests=sum(weights),
    )


def _load(model: ModelSpec, pool: PoolKey, mix: TokenMix, theta: float) -> ReplicaLoad:
    law = model.engines[pool.vm_type]
    prompt, output = max(1.0, mix.input_tokens), max(1.0, mix.output_tokens)
    return ReplicaLoad(
        requests_per_second=theta,
        request_tokens=prompt + output,
        output_tokens=output,
        decode_base=law.decode_base,
        per_sequence=seconds_per_sequence(law, prompt, output),
    )
