"""What is left undone at the end of a run is owed: at what the same model's finished work cost in it.

Without that, whoever lets batch work pile up until the end would be cheaper than who does it in time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from heliostat.model.names import DemandKey, ModelName, Tier
from simulation.engine import TierTally

_Work = Mapping[ModelName, Mapping[Tier, Sequence[TierTally]]]


@dataclass(frozen=True, slots=True)
class _Tokens:
    """Of requests that were completed, and of admitted ones that were not."""

    done: float
    left: float


def gpu_hours_owed(
    stood: Mapping[ModelName, float], tallies: Mapping[DemandKey, TierTally]
) -> float:
    """GPU-hours for admitted requests that were not completed, given the GPU-hours of what stood, by model.

    A request counts by the mean tokens of its model's and tier's. Work of a model that finished nothing
    costs what a token of all models did, and nothing where nobody finished anything.
    """
    tokens = {model: _tokens(tiers) for model, tiers in _by_model(tallies).items()}
    done = sum(of.done for of in tokens.values())
    owed = 0.0
    for model, of in tokens.items():
        if of.left and done:
            price = stood.get(model, 0.0) / of.done if of.done else sum(stood.values()) / done
            owed += of.left * price
    return owed


def _by_model(tallies: Mapping[DemandKey, TierTally]) -> _Work:
    found: dict[ModelName, dict[Tier, list[TierTally]]] = defaultdict(lambda: defaultdict(list))
    for key, tally in tallies.items():
        found[key.model][key.tier].append(tally)
    return found


def _tokens(tiers: Mapping[Tier, Sequence[TierTally]]) -> _Tokens:
    usual = _mean_output([tally for tallies in tiers.values() for tally in tallies]) or 0.0
    done = left = 0.0
    for tallies in tiers.values():
        offered = sum(tally.offered for tally in tallies)
        prompt = sum(tally.input_tokens for tally in tallies) / max(1, offered)
        own = _mean_output(tallies)
        each = prompt + (usual if own is None else own)
        done += each * sum(tally.completed for tally in tallies)
        left += each * sum(tally.in_flight for tally in tallies)
    return _Tokens(done, left)


def _mean_output(tallies: Sequence[TierTally]) -> float | None:
    completed = sum(tally.completed for tally in tallies)
    return sum(tally.output_tokens for tally in tallies) / completed if completed else None
