"""How much of a replica a request keeps busy: what turns "twenty busy replicas" into requests per second.

An estimate to size scenarios with. What a replica really serves within its SLO is the planner's
and the engine's business.
"""

from __future__ import annotations

from collections.abc import Callable

from heliostat.catalogue import ModelSpec
from heliostat.errors import InvalidInput
from heliostat.model.engine import EngineLaw
from heliostat.model.names import Tier, VmTypeName

Lengths = tuple[float, float]
"""Mean prompt and output tokens of a request."""
SecondsOf = Callable[[ModelSpec, Tier, Lengths], float]
"""Replica-seconds that a request of a tier takes."""


def reference_vm_type(model: ModelSpec) -> VmTypeName:
    """The VM type that scenarios are sized on: the first that the catalogue has an engine law for."""
    return next(iter(model.engines))


def replica_seconds(law: EngineLaw, lengths: Lengths, itl_seconds: float) -> float:
    """Seconds of one replica that a request takes when its batch is as full as KV and ITL allow.

    Its own prefill, and its share of the decode iterations: `prefill(in) + out · decode(B, c) / B`
    at mean context `c = in + out/2`. Llama2-70B on 8 A100, 6,500 in and 100 out: 1.6 s.
    """
    prompt, output = lengths
    context = prompt + output / 2
    batch = law.batch_fitting(context)
    while batch > 1 and law.decode_seconds(batch, context) > itl_seconds:
        batch -= 1
    return law.prefill_seconds(prompt) + output * law.decode_seconds(batch, context) / batch


def model_replica_seconds(model: ModelSpec, tier: Tier, lengths: Lengths) -> float:
    """The same for a tier of a model on its reference VM type. Raises InvalidInput without the tier."""
    spec = model.tier(tier)
    if spec is None:
        raise InvalidInput("tier", f"{model.name} does not offer {tier}")
    law = model.engines[reference_vm_type(model)]
    return replica_seconds(law, lengths, spec.slo.itl_seconds)
