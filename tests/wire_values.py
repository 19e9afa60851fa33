"""Any value that travels, drawn by hypothesis: names of the small catalogue, everything else free."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from heliostat.model.command import (
    Acknowledgement,
    Command,
    CommandProgress,
    CommandState,
    RedeployOrder,
    RefusalKind,
    ScaleOrder,
)
from heliostat.model.fleet import (
    BacklogGroup,
    BatchBacklog,
    CapacityDenial,
    Fleet,
    LeadTimeSample,
    PoolObservation,
    PoolState,
    RegionObservation,
    RegionReport,
    ReplicaEndpoint,
    Signal,
    StartKind,
)
from heliostat.model.forecast import Champion, Forecast, ForecastScore
from heliostat.model.governance import (
    AuditEntry,
    AuditQuery,
    AuditRecord,
    Mode,
    ModeSetting,
    Override,
)
from heliostat.model.instants import Span, to_epoch
from heliostat.model.latency import BUCKET_RANGE, LatencySketch
from heliostat.model.measured_law import MeasuredLaw
from heliostat.model.names import (
    EVERYWHERE,
    DemandKey,
    ModelName,
    PoolKey,
    RegionName,
    SeriesKey,
    Tier,
    TokenKind,
    VmTypeName,
)
from heliostat.model.plan import (
    Alternative,
    CapacityPlan,
    Explanation,
    Flow,
    PlanOrigin,
    PlanStatus,
    PoolTarget,
    Reason,
    Redeployment,
    Shortage,
    SolveReport,
    WhatIf,
)
from heliostat.model.routing import (
    MILLION,
    RegionIngress,
    RouteEntry,
    RouteShare,
    RoutingAck,
    RoutingTable,
)
from heliostat.model.usage import (
    UsageBatch,
    UsageBucket,
    UsageQuery,
    UsageSeries,
    UsageWindow,
    batch_of,
)
from services.translation.backlogs import LONGEST_DEADLINE
from tests.builders import NOON

regions = st.sampled_from([RegionName("east"), RegionName("west")])
models = st.sampled_from([ModelName("alpha"), ModelName("beta")])
vm_types = st.sampled_from([VmTypeName("small"), VmTypeName("big")])
tiers = st.sampled_from(Tier)
texts = st.text(max_size=20)
words = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=20)
counts = st.integers(0, 10**6)
replicas = st.integers(0, 1000)
amounts = st.floats(0, 1e12, allow_nan=False)
instants = st.integers(0, 4 * 10**9).map(lambda s: datetime.fromtimestamp(s, UTC))
minutes = st.integers(0, 60 * 24).map(lambda m: NOON - timedelta(minutes=m))
lengths = st.integers(0, 10**7).map(lambda s: timedelta(seconds=s))
sketches = st.dictionaries(
    st.integers(BUCKET_RANGE.start, BUCKET_RANGE.stop - 1), st.integers(1, 10**9), max_size=6
).map(LatencySketch)


@st.composite
def plain_sketches(draw: st.DrawFn) -> LatencySketch:
    """Neighbouring buckets with small counts, as latencies of one minute have them."""
    bucket = draw(st.integers(BUCKET_RANGE.start, BUCKET_RANGE.stop - 100))
    counts: dict[int, int] = {}
    for step in draw(st.lists(st.integers(1, 70), max_size=6)):
        counts[bucket] = draw(st.integers(1, 130))
        bucket = min(bucket + step, BUCKET_RANGE.stop - 1)
    return LatencySketch(counts)


maybe_sketches = st.none() | sketches | plain_sketches()
pools = st.builds(PoolKey, region=regions, model=models, vm_type=vm_types)
demands = st.builds(DemandKey, origin=regions | st.just(EVERYWHERE), model=models, tier=tiers)
series_keys = st.builds(SeriesKey, demand=demands, kind=st.sampled_from(TokenKind))
usage_series = st.builds(UsageSeries, origin=regions, serving=regions, model=models, tier=tiers)
spans = st.tuples(instants, instants).map(lambda ends: Span(min(ends), max(ends)))


@st.composite
def usage_windows(draw: st.DrawFn) -> UsageWindow:
    """A window whose counts hold together."""
    offered = draw(counts)
    admitted = draw(st.integers(0, offered))
    return UsageWindow(
        series=draw(usage_series),
        start=draw(minutes),
        revision=draw(st.integers(1, 1000)),
        offered=offered,
        admitted=admitted,
        rejected=draw(st.integers(0, offered - admitted)),
        retried=draw(st.integers(0, offered)),
        completed=draw(st.integers(0, admitted)),
        input_tokens=draw(st.none() | st.integers(0, 10**12)),
        output_tokens=draw(st.none() | st.integers(0, 10**12)),
        ttft=draw(maybe_sketches),
        itl=draw(maybe_sketches),
        e2e=draw(maybe_sketches),
    )


@st.composite
def usage_batches(draw: st.DrawFn) -> UsageBatch:
    """Any batch, also an empty one."""
    return batch_of(
        draw(st.lists(usage_windows(), max_size=8)),
        source_id=draw(words),
        incarnation=draw(st.integers(1, 2**62)),
        sequence=draw(st.integers(1, 2**62)),
    )


usage_queries = st.builds(
    UsageQuery,
    span=spans,
    bucket=st.integers(1, 1440).map(lambda m: timedelta(minutes=m)),
    origins=st.frozensets(regions),
    servings=st.frozensets(regions),
    models=st.frozensets(models),
    tiers=st.frozensets(tiers),
)
usage_buckets = st.builds(
    UsageBucket,
    series=usage_series,
    start=instants,
    windows=counts,
    offered=counts,
    admitted=counts,
    rejected=counts,
    retried=counts,
    completed=counts,
    input_tokens=st.none() | counts,
    output_tokens=st.none() | counts,
    windows_without_input=counts,
    windows_without_output=counts,
    ttft=maybe_sketches,
    itl=maybe_sketches,
    e2e=maybe_sketches,
)
endpoints = st.builds(
    ReplicaEndpoint, replica_id=words, pool=pools, address=words, draining=st.booleans()
)


@st.composite
def route_entries(draw: st.DrawFn) -> RouteEntry:
    """An entry whose shares and shed share add up."""
    servings = draw(st.lists(regions, unique=True))
    cuts = sorted(draw(st.lists(st.integers(0, MILLION), min_size=len(servings), max_size=2)))
    cuts = cuts[: len(servings)]
    weights = [after - before for before, after in zip([0, *cuts], cuts, strict=False)]
    return RouteEntry(
        model=draw(models),
        tier=draw(tiers),
        shares=tuple(
            RouteShare(serving=serving, weight_ppm=weight, ingress_endpoint=draw(texts))
            for serving, weight in zip(servings, weights, strict=True)
        ),
        shed_ppm=MILLION - sum(weights),
        fallback=tuple(draw(st.lists(regions, unique=True))),
        reason=draw(texts),
    )


routing_tables = st.builds(
    RoutingTable,
    origin=regions,
    valid_from=instants,
    stale_after=lengths,
    entries=st.lists(route_entries(), unique_by=lambda e: (e.model, e.tier), max_size=3).map(tuple),
    replicas=st.lists(endpoints, max_size=2).map(tuple),
    version=texts,
    plan_version=counts,
    hop_header=words,
    ingresses=st.lists(
        st.builds(RegionIngress, region=regions, ingress_endpoint=texts), max_size=2
    ).map(tuple),
)
routing_acks = st.builds(
    RoutingAck,
    origin=regions,
    gateway_id=words,
    version=words,
    accepted=st.booleans(),
    at=instants,
    detail=texts,
)
progresses = st.builds(
    CommandProgress,
    ordered=replicas,
    provisioning=replicas,
    loading=replicas,
    ready=replicas,
    draining=replicas,
    released=replicas,
    failed=replicas,
    detail=texts,
)
scales = st.builds(ScaleOrder, pool=pools, target_replicas=replicas)


@st.composite
def redeploys(draw: st.DrawFn) -> RedeployOrder:
    """Two models on one VM type in one region."""
    one, other = draw(st.permutations(["alpha", "beta"]))
    region, vm_type = draw(regions), draw(vm_types)
    return RedeployOrder(
        source=PoolKey(region=region, model=ModelName(one), vm_type=vm_type),
        source_target=draw(replicas),
        destination=PoolKey(region=region, model=ModelName(other), vm_type=vm_type),
        destination_target=draw(replicas),
    )


@st.composite
def commands(draw: st.DrawFn) -> Command:
    """A command at any point of its life."""
    order = draw(scales | redeploys())
    return Command(
        command_id=draw(texts),
        region=order.pools[0].region,
        order=order,
        reason=draw(texts),
        author=draw(texts),
        created_at=draw(instants),
        not_after=draw(instants),
        plan_version=draw(counts),
        request_id=draw(texts),
        state=draw(st.sampled_from(CommandState)),
        progress=draw(progresses),
        refusal=draw(st.none() | st.sampled_from(RefusalKind)),
        outcome=draw(texts),
        ended_at=draw(st.none() | instants),
        revision=draw(st.integers(1, 10**6)),
    )


@st.composite
def acknowledgements(draw: st.DrawFn) -> Acknowledgement:
    """A word that goes with its refusal."""
    state = draw(st.sampled_from([s for s in CommandState if s is not CommandState.PENDING]))
    refused = state is CommandState.REFUSED
    return Acknowledgement(
        command_id=draw(words),
        region=draw(regions),
        state=state,
        at=draw(instants),
        progress=draw(progresses),
        refusal=draw(st.sampled_from(RefusalKind)) if refused else None,
        detail=draw(texts),
        command_created_at=draw(st.none() | instants),
    )


@st.composite
def overrides(draw: st.DrawFn) -> Override:
    """An override with an expiry after its creation."""
    created = draw(instants)
    return Override(
        override_id=draw(words),
        pool=draw(pools),
        target_replicas=draw(replicas),
        author=draw(words),
        reason=draw(words),
        created_at=created,
        expires_at=created + draw(lengths) + timedelta(seconds=1),
        request_id=draw(texts),
    )


def pool_observations(pool: st.SearchStrategy[PoolKey]) -> st.SearchStrategy[PoolObservation]:
    """Observations of these pools."""
    return st.builds(
        PoolObservation,
        pool=pool,
        desired=replicas,
        provisioning=replicas,
        loading=replicas,
        ready=replicas,
        draining=replicas,
        failed=replicas,
        running_requests=st.none() | replicas,
        waiting_requests=st.none() | replicas,
        utilisation=st.none() | st.floats(0, 10),
        kv_occupancy=st.none() | st.floats(0, 1),
    )


def measured_laws(pool: st.SearchStrategy[PoolKey]) -> st.SearchStrategy[MeasuredLaw]:
    """Refitted laws of these pools."""
    times, sizes = st.floats(0, 10), st.floats(0, 1e6)
    positive = st.floats(1e-9, 10)
    return st.builds(
        MeasuredLaw,
        pool=pool,
        prefill_base=times,
        prefill_per_token=positive,
        prefill_per_token_beyond_knee=times,
        decode_base=positive,
        decode_per_sequence=times,
        decode_per_sequence_kilotoken=times,
        error=times,
        prefills=replicas,
        iterations=replicas,
        prompt_tokens=st.tuples(sizes, sizes),
        sequences=st.tuples(sizes, sizes),
        prefill_ratio=times,
        iteration_ratio=times,
    )


east_pools = st.builds(PoolKey, region=st.just(RegionName("east")), model=models, vm_type=vm_types)
EAST = RegionName("east")


@st.composite
def batch_backlogs(draw: st.DrawFn, at: datetime) -> tuple[BatchBacklog, ...]:
    """What waited in the east at that instant, of any models; none = not measured."""
    within = LONGEST_DEADLINE // timedelta(seconds=1)
    ahead = st.integers(max(-within, -to_epoch(at)), within)
    found = []
    for model in draw(st.lists(models, unique=True)):
        places = sorted(draw(st.lists(ahead, max_size=4)))
        groups = [
            BacklogGroup(due=at + timedelta(seconds=place), requests=draw(counts))
            for place in places
        ]
        found.append(BatchBacklog(region=EAST, model=model, groups=tuple(groups)))
    return tuple(found)


@st.composite
def observations(draw: st.DrawFn) -> RegionObservation:
    """What an agent of the east may say."""
    seen = draw(_observations)
    return replace(seen, batch_backlog=draw(batch_backlogs(seen.observed_at)))


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    """Whose east may have reported, and what waits there."""
    fleet = draw(_fleets)
    if draw(st.booleans()):
        return fleet
    unknown = draw(st.lists(words, max_size=2))
    report = RegionReport(region=EAST, observed_at=draw(instants), unknown_vms=tuple(unknown))
    return replace(fleet, reports=(report,), batch_backlog=draw(batch_backlogs(report.observed_at)))


_observations = st.builds(
    RegionObservation,
    region=st.just(EAST),
    observed_at=instants,
    pools=st.lists(pool_observations(east_pools), unique_by=lambda o: o.pool, max_size=3).map(
        tuple
    ),
    replicas=st.lists(
        st.builds(ReplicaEndpoint, replica_id=words, pool=east_pools, address=words), max_size=2
    ).map(tuple),
    lead_times=st.lists(
        st.builds(
            LeadTimeSample,
            pool=east_pools,
            start_kind=st.sampled_from(StartKind),
            lead_time=st.integers(0, 7 * 86_400).map(lambda s: timedelta(seconds=s)),
            ready_at=instants,
        ),
        max_size=2,
    ).map(tuple),
    unknown_vms=st.lists(words, max_size=2).map(tuple),
    agent_paused=st.booleans(),
    laws=st.lists(measured_laws(east_pools), unique_by=lambda law: law.pool, max_size=2).map(tuple),
)
_fleets = st.builds(
    Fleet,
    at=instants,
    pools=st.lists(
        st.builds(
            PoolState,
            observation=pool_observations(pools),
            observed_at=st.none() | instants,
            signal=st.sampled_from(Signal),
        ),
        max_size=3,
    ).map(tuple),
    replicas=st.lists(endpoints, max_size=2).map(tuple),
    denials=st.lists(
        st.builds(
            CapacityDenial,
            region=regions,
            vm_type=vm_types,
            reason=texts,
            at=instants,
            until=instants,
            most_replicas=replicas,
        ),
        max_size=2,
    ).map(tuple),
    paused_agents=st.frozensets(regions),
)


@st.composite
def forecasts(draw: st.DrawFn) -> Forecast:
    """A forecast with one to three levels."""
    levels = tuple(sorted(draw(st.sets(st.sampled_from([0.5, 0.9, 0.99]), min_size=1))))
    steps = draw(st.integers(1, 5))
    row = st.lists(amounts, min_size=steps, max_size=steps).map(tuple)
    rows = st.lists(row, min_size=len(levels), max_size=len(levels)).map(tuple)
    return Forecast(
        key=draw(series_keys),
        issued_at=draw(instants),
        start=draw(instants),
        step=draw(lengths),
        method=draw(words),
        trained_until=draw(instants),
        levels=levels,
        mean=draw(rows),
        peak=draw(rows),
        degraded=draw(texts),
    )


maybe_ratios = st.none() | st.floats(-10, 10)
scores = st.builds(
    ForecastScore,
    key=series_keys,
    method=words,
    horizon=lengths,
    scored=counts,
    wape=maybe_ratios,
    bias=maybe_ratios,
    pinball=amounts,
    coverage=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=3).map(tuple),
)
champions = st.builds(
    Champion,
    key=series_keys,
    method=words,
    since=instants,
    reason=texts,
    losses=st.lists(st.tuples(words, amounts), max_size=3).map(tuple),
)
targets = st.builds(
    PoolTarget,
    pool=pools,
    replicas=replicas,
    current=replicas,
    reason=st.builds(
        Reason, summary=texts, binding=texts, forecast=texts, clip=texts, author=texts
    ),
    path=st.lists(replicas, max_size=3).map(tuple),
    without_override=st.none() | replicas,
)
plans = st.builds(
    CapacityPlan,
    created_at=instants,
    policy=words,
    status=st.sampled_from(PlanStatus),
    origin=st.sampled_from(PlanOrigin),
    version=counts,
    first_step=instants,
    step=lengths,
    targets=st.lists(targets, unique_by=lambda t: t.pool, max_size=3).map(tuple),
    flows=st.lists(
        st.builds(
            Flow, demand=demands, serving=regions, vm_type=vm_types, requests_per_second=amounts
        ),
        max_size=2,
    ).map(tuple),
    redeployments=st.lists(
        st.builds(
            lambda order, n: Redeployment(
                source=order.source, destination=order.destination, replicas=n
            ),
            redeploys(),
            st.integers(1, 9),
        ),
        max_size=2,
    ).map(tuple),
    shortages=st.lists(
        st.builds(Shortage, demand=demands, requests_per_second=amounts, reason=texts), max_size=2
    ).map(tuple),
    solve=st.none()
    | st.builds(
        SolveReport,
        objective=st.none() | amounts,
        lp_bound=st.none() | amounts,
        cpu_seconds=amounts,
        nodes=counts,
        time_limited=st.booleans(),
    ),
    notes=st.lists(texts, max_size=2).map(tuple),
)
explanations = st.builds(
    Explanation,
    target=targets,
    alternatives=st.lists(
        st.builds(Alternative, summary=texts, extra_dollars_per_hour=st.none() | amounts),
        max_size=2,
    ).map(tuple),
    marginal_values=st.lists(st.tuples(texts, amounts), max_size=2).map(tuple),
)
what_ifs = st.builds(
    WhatIf,
    demand_factor=st.floats(0, 1000),
    lost_region=st.none() | regions,
    quotas=st.lists(st.tuples(regions, vm_types, replicas), max_size=2).map(tuple),
    targets=st.lists(st.tuples(pools, replicas), max_size=2).map(tuple),
)
mode_settings = st.builds(
    ModeSetting,
    region=regions | st.just(EVERYWHERE),
    mode=st.sampled_from(Mode),
    author=texts,
    reason=texts,
    at=instants,
    revision=st.integers(1, 1000),
)
audit_entries = st.builds(
    AuditEntry,
    number=st.integers(1, 2**62),
    record=st.builds(
        AuditRecord,
        at=instants,
        author=texts,
        action=texts,
        subject=texts,
        detail=texts,
        outcome=texts,
    ),
)
audit_queries = st.builds(
    AuditQuery,
    span=spans,
    authors=st.frozensets(words, max_size=3),
    actions=st.frozensets(words, max_size=3),
)
