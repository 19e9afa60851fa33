"""The fluid engine's axes: every array is indexed by serving region, model, VM type, tier or origin."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from heliostat.catalogue import FleetCatalogue
from heliostat.model.engine import EngineLaw
from heliostat.model.names import PoolKey, Tier
from simulation.columns import Floats

TIERS = tuple(Tier)
"""In the order in which they are served."""


class Grid:
    """Names to places and engine laws as arrays.

    Letters in shapes: R serving regions, M models, G VM types, K tiers, O origins (= regions).
    """

    def __init__(self, catalogue: FleetCatalogue) -> None:
        self.catalogue = catalogue
        self.regions = tuple(region.name for region in catalogue.regions)
        self.models = tuple(model.name for model in catalogue.models)
        self.vm_types = tuple(vm_type.name for vm_type in catalogue.vm_types)
        self.region_at = {name: place for place, name in enumerate(self.regions)}
        self.model_at = {name: place for place, name in enumerate(self.models)}
        self.vm_type_at = {name: place for place, name in enumerate(self.vm_types)}
        self.round_trip = np.array(
            [[catalogue.round_trip(o, r) for o in self.regions] for r in self.regions]
        )
        """(R, O) seconds."""
        self.law = LawArrays(self)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(R, M, K, O): the shape of everything that is queued."""
        return len(self.regions), len(self.models), len(TIERS), len(self.regions)

    def pools(self, by_pool: Mapping[PoolKey, float]) -> Floats:
        """(R, M, G): a value per pool, 0 where none is given."""
        out = np.zeros((len(self.regions), len(self.models), len(self.vm_types)))
        for pool, value in by_pool.items():
            out[self.place(pool)] = value
        return out

    def place(self, pool: PoolKey) -> tuple[int, int, int]:
        """Where a pool is in an (R, M, G) array."""
        return self.region_at[pool.region], self.model_at[pool.model], self.vm_type_at[pool.vm_type]


class LawArrays:
    """Engine laws as (M, G) arrays, and their times for arrays of tokens.

    A pair without a law gets the times of a law that never serves (1 s each); no pool has it.
    """

    def __init__(self, grid: Grid) -> None:
        models = grid.catalogue.models

        def column(value: Callable[[EngineLaw], float]) -> Floats:
            laws = [[m.engines.get(vm_type) for vm_type in grid.vm_types] for m in models]
            return np.array([[1.0 if law is None else value(law) for law in row] for row in laws])

        self.prefill_base = column(lambda law: law.prefill_base)
        self.prefill_per_token = column(lambda law: law.prefill_per_token)
        self.prefill_beyond_knee = column(lambda law: law.prefill_per_token_beyond_knee)
        self.decode_base = column(lambda law: law.decode_base)
        self.decode_per_sequence = column(lambda law: law.decode_per_sequence)
        self.decode_per_kilotoken = column(lambda law: law.decode_per_sequence_kilotoken)
        self.kv_tokens = column(lambda law: law.kv_tokens)
        self.max_batch = column(lambda law: law.max_batch)
