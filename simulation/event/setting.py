"""An engine's fixed tables, from catalogue, workload and local policy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from heliostat.catalogue import FleetCatalogue, ModelSpec
from heliostat.errors import InvalidInput
from heliostat.model.engine import EngineLaw
from heliostat.model.names import DemandKey, PoolKey, Tier
from scheduling.rules.lengths import BINS
from simulation.clients import Clients
from simulation.event.arrays import Arrays, Records
from simulation.event.layout import BACKLOG_BINS, BUCKETS, CELL, DEMAND, KINDS, LAW, NOBODY
from simulation.event.orders import ORDERS
from simulation.event.placing import (
    BEST_FIT,
    FREENESS,
    KV_BEST_FIT,
    LEAST_WORK,
    PACK,
    POWER_OF_TWO,
    RANDOM,
    ROUND_ROBIN,
)
from simulation.local_policy import (
    ChironBatchSize,
    Dispatch,
    LocalPolicy,
    Preemption,
    Prefill,
    StaticBatchSize,
)

TIER_LIST = tuple(Tier)
_DISPATCH = {
    Dispatch.LEAST_WORK: LEAST_WORK,
    Dispatch.PACK: PACK,
    Dispatch.POWER_OF_TWO: POWER_OF_TWO,
    Dispatch.RANDOM: RANDOM,
    Dispatch.ROUND_ROBIN: ROUND_ROBIN,
    Dispatch.BEST_FIT: BEST_FIT,
    Dispatch.KV_BEST_FIT: KV_BEST_FIT,
    Dispatch.FREENESS: FREENESS,
}


class Places:
    """Names to places: regions, models, cells and pools."""

    def __init__(self, catalogue: FleetCatalogue) -> None:
        self.catalogue = catalogue
        self.regions = tuple(region.name for region in catalogue.regions)
        self.models = tuple(model.name for model in catalogue.models)
        self.region_at = {name: place for place, name in enumerate(self.regions)}
        self.model_at = {name: place for place, name in enumerate(self.models)}
        self.pools = tuple(pool.key for pool in catalogue.pools)
        self.pool_at = {key: place for place, key in enumerate(self.pools)}

    @property
    def cells(self) -> int:
        """One per region and model."""
        return len(self.regions) * len(self.models)

    def cell(self, pool: PoolKey) -> int:
        """The cell that a pool's replicas stand in."""
        return self.region_at[pool.region] * len(self.models) + self.model_at[pool.model]


def lay_out(
    places: Places, demands: Sequence[DemandKey], policy: LocalPolicy, clients: Clients, seed: int
) -> Arrays:
    """Everything that does not change, in its place; no replica stands yet.

    Raises InvalidInput when a demand's tier is not offered; UnknownRegion, UnknownModel.
    """
    arrays = Arrays()
    regions, models, tiers = len(places.regions), len(places.models), len(TIER_LIST)
    arrays.set(seed=seed & (2**63 - 1), regions=regions, models=models, origins=regions)
    rule = clients.retries
    arrays.set(returning=NOBODY, retries=rule.most, returns=rule.probability)
    arrays.set(back_off=rule.back_off.total_seconds(), growth=rule.growth)
    arrays.put("demands", _demands(places, demands, clients))
    arrays.put("laws", _laws(places))
    arrays.put("cells", _cells(places))
    round_trip = places.catalogue.round_trip
    trips = [[round_trip(o, r) for o in places.regions] for r in places.regions]
    arrays.put("trips", np.array(trips).ravel())
    arrays.put("shares", np.zeros(max(1, len(demands) * (regions + 1))))
    arrays.put("expected_output", _expected_outputs(places))
    arrays.put("binned_output", np.zeros(places.cells * tiers * BINS * 2))
    arrays.put("current", np.full(regions * models * tiers * regions, NOBODY, np.int32))
    arrays.put("latencies", np.zeros(tiers * KINDS * BUCKETS, np.int64))
    arrays.put("backlog", np.zeros(places.cells * BACKLOG_BINS, np.int64))
    _set_policy(arrays, policy)
    return arrays


def most_sequences(law: EngineLaw, policy: LocalPolicy) -> int:
    """How many sequences a replica may ever run at a time."""
    size = policy.batch_size
    if isinstance(size, StaticBatchSize) and size.most is not None:
        return min(law.max_batch, size.most)
    return law.max_batch


def output_token_seconds(model: ModelSpec, law: EngineLaw) -> float:
    """What an output token takes on a full replica, at the tokens that the catalogue assumes."""
    spec = model.tiers[0]
    context = spec.assumed_input_tokens + spec.assumed_output_tokens / 2
    full = law.batch_fitting(context)
    return law.decode_seconds(full, context) / full


def _set_policy(arrays: Arrays, policy: LocalPolicy) -> None:
    order = ORDERS[policy.order]
    a, b = order.numbers(policy)
    arrays.set(
        dispatch=_DISPATCH[policy.dispatch],
        chunked=policy.prefill is Prefill.CHUNKS,
        most_prefill=policy.max_prefill_tokens,
        chunk=policy.chunk_tokens,
        swaps=policy.preemption is Preemption.SWAP,
        evicts_batch=policy.interactive_evicts_batch,
        timed_order=order.timed,
        rising_order=order.rising,
        order_a=a,
        order_b=b,
    )
    fit = policy.fit
    arrays.set(
        predicts=policy.dispatch in (Dispatch.BEST_FIT, Dispatch.KV_BEST_FIT),
        knows_lengths=fit.length_error is not None,
        length_error=fit.length_error or 0.0,
        memory_share=fit.margins.memory_share,
        time_margin=fit.margins.time,
        foresight=fit.margins.foresight,
        spread_beyond=fit.margins.spread_beyond,
    )
    admission = policy.batch_admission
    if admission is not None:
        arrays.set(
            admits_batch=1,
            one_below=admission.one_below,
            two_below=admission.two_below,
            promoted_after=admission.promoted_after.total_seconds(),
        )
    size = policy.batch_size
    if isinstance(size, ChironBatchSize):
        arrays.set(
            controls=1,
            first_size=size.first,
            smoothing=size.smoothing,
            period=size.period.total_seconds(),
            gap_quantile=size.itl_quantile,
            binding_share=size.binding_share,
            largest_growth=size.largest_growth,
        )


def _demands(places: Places, demands: Sequence[DemandKey], clients: Clients) -> Records:
    rows = np.zeros(max(1, len(demands)), DEMAND)
    for row, key in zip(rows, demands, strict=False):
        model = places.catalogue.model(key.model)
        spec = model.tier(key.tier)
        if spec is None:
            raise InvalidInput("demands", f"{key.model} does not offer {key.tier}")
        origin = places.catalogue.region(key.origin).name
        row["origin"], row["model"] = places.region_at[origin], places.model_at[model.name]
        row["tier"] = TIER_LIST.index(key.tier)
        row["floor"], row["gap"] = spec.slo.ttft_floor_seconds, spec.slo.itl_seconds
        row["patience"] = clients.patience_seconds(spec)
        deadline = spec.slo.deadline
        row["finish"] = math.inf if deadline is None else deadline.total_seconds()
        row["home_trip"] = places.catalogue.round_trip(origin, origin)
        if spec.slo.ttft_prefill_multiple:
            law = places.catalogue.law(model.name, spec.slo.reference_vm_type)
            row["multiple"] = spec.slo.ttft_prefill_multiple
            row["reference_base"] = law.prefill_base
            row["reference_token"] = law.prefill_per_token
            row["reference_knee"] = law.prefill_per_token_beyond_knee
    return rows


def _laws(places: Places) -> Records:
    """The laws under which a replica could stand, of every model."""
    kinds = sorted({(pool.model, pool.vm_type) for pool in places.pools})
    rows = np.zeros(max(1, len(kinds)), LAW)
    rows["model"] = NOBODY
    for row, (model, vm_type) in zip(rows, kinds, strict=False):
        row["model"] = places.model_at[model]
        set_law(row, places.catalogue.law(model, vm_type))
    return rows


def set_law(row: Records, law: EngineLaw) -> None:
    """Write a law's coefficients, per token, into a record."""
    row["decode_base"], row["decode_sequence"] = law.decode_base, law.decode_per_sequence
    row["decode_token"] = law.decode_per_sequence_kilotoken / 1000
    row["prefill_base"], row["prefill_token"] = law.prefill_base, law.prefill_per_token
    row["prefill_knee"] = law.prefill_per_token_beyond_knee


def _cells(places: Places) -> Records:
    rows = np.zeros(places.cells, CELL)
    rows["region"], rows["model"] = np.divmod(np.arange(places.cells), len(places.models))
    for name in ("arrivals_head", "arrivals_tail", "held_head", "held_tail", "batch_queue"):
        rows[name] = NOBODY
    rows["poll"] = np.inf
    for column, tier in zip(("gap_fast", "gap_normal", "gap_batch"), TIER_LIST, strict=True):
        specs = [model.tier(tier) for model in places.catalogue.models]
        gaps = [math.inf if spec is None else spec.slo.itl_seconds for spec in specs]
        rows[column] = np.tile(gaps, len(places.regions))
    return rows


def _expected_outputs(places: Places) -> Records:
    """Per cell and tier what the catalogue assumes, as if seen once."""
    assumed = [
        [1.0 if (spec := model.tier(tier)) is None else spec.assumed_output_tokens, 1.0]
        for model in places.catalogue.models
        for tier in TIER_LIST
    ]
    return np.tile(np.array(assumed).ravel(), len(places.regions))
