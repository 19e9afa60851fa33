"""What is wrong with a message is said of the field, and nothing that is wrong gets through."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from heliostat.errors import HeliostatError, InvalidInput, UnknownModel, UnknownRegion, UnknownTier
from heliostat.model.latency import LatencySketch
from heliostat.v1 import (
    audit_pb2,
    common_pb2,
    fleet_pb2,
    forecast_pb2,
    plan_pb2,
    routing_pb2,
    usage_pb2,
)
from services.translation import (
    audit,
    commands,
    fields,
    fleet,
    forecasts,
    pages,
    plans,
    questions,
    routing,
)
from services.translation.sketches import check_sketches
from services.translation.unknown_pools import leave_out
from services.translation.usage import (
    UsageLimits,
    UsageReader,
    batch_from_wire,
    batch_to_wire,
    check_skew,
)
from services.translation.usage_views import query_from_wire, stream_query_from_wire
from tests import wire_values as values
from tests.builders import (
    MINUTE,
    NOON,
    a_batch,
    a_catalogue,
    a_forecast,
    a_series,
    a_window,
    catalogue_mapping,
)

CATALOGUE = a_catalogue()


def a_message(**changes: Any) -> usage_pb2.UsageBatch:
    """A good batch of two windows with these fields put in place of its own."""
    windows = [a_window(ttft=LatencySketch.of([0.1, 0.2])), a_window(NOON - MINUTE)]
    message = batch_to_wire(a_batch(windows))
    for name, value in changes.items():
        if isinstance(value, list):
            message.ClearField(name)  # type: ignore[arg-type]  # a field's name as data
            getattr(message, name).extend(value)
        else:
            setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"source_id": ""}, "batch.source_id"),
        ({"source_id": "east/\0"}, "batch.source_id"),
        ({"source_id": "x" * 10_000}, "batch.source_id"),
        ({"sequence": 0}, "sequence"),
        ({"incarnation": -1}, "sequence"),
        ({"series_index": [0, 1]}, "series_index"),
        ({"window_start_seconds": [60]}, "series_index"),
        ({"window_start_seconds": [61, 120]}, "window_start"),
        ({"revision": [0, 1]}, "revision"),
        ({"revision": []}, "revision"),
        ({"offered_requests": [10**10, 1]}, "offered"),
        ({"admitted_requests": [11, 10]}, "counts"),
        ({"completed_requests": [11, 10]}, "counts"),
        ({"retried_requests": [11, 10]}, "counts"),
        ({"input_tokens": [-2, 1]}, "batch.input_tokens"),
        ({"output_tokens": [10**14, 1]}, "output_tokens"),
        ({"output_tokens": [1]}, "output_tokens"),
        ({"ttft_sketch": [b"\x02", b""]}, "batch.ttft_sketch[0]"),
        ({"e2e_sketch": [b"", b"\x01\x80"]}, "batch.e2e_sketch[1]"),
        ({"itl_sketch": [b""]}, "itl"),
    ],
)
def test_a_bad_column_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        batch_from_wire("batch", a_message(**changes), CATALOGUE)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("part", "name", "error"),
    [
        ("origin_region", "atlantis", UnknownRegion),
        ("serving_region", "atlantis", UnknownRegion),
        ("model", "gpt-0", UnknownModel),
        ("origin_region", "", InvalidInput),
        ("tier", 0, InvalidInput),
        ("tier", 99, InvalidInput),
    ],
)
def test_an_unknown_series_is_named_with_its_place(
    part: str, name: object, error: type[HeliostatError]
) -> None:
    message = a_message()
    setattr(message.series[0], part, name)
    with pytest.raises(error) as caught:
        batch_from_wire("batch", message, CATALOGUE)
    assert getattr(caught.value, "field", "") == f"batch.series[0].{part}"


def test_a_tier_that_the_model_does_not_offer_is_unknown() -> None:
    mapping = catalogue_mapping()
    mapping["models"][0] = {**mapping["models"][0], "tiers": dict(mapping["models"][0]["tiers"])}
    del mapping["models"][0]["tiers"]["interactive-normal"]
    with pytest.raises(UnknownTier, match="alpha offers"):
        batch_from_wire("batch", a_message(), a_catalogue(mapping))


def test_a_dictionary_holds_each_series_once() -> None:
    message = a_message()
    message.series.append(message.series[0])
    with pytest.raises(InvalidInput, match="contains a series twice"):
        batch_from_wire("batch", message, CATALOGUE)


def test_a_request_without_a_batch_is_refused() -> None:
    with pytest.raises(InvalidInput, match="batch: is missing"):
        UsageReader(CATALOGUE).request(usage_pb2.ReportUsageRequest())


@pytest.mark.parametrize(
    ("start", "passes"),
    [
        (NOON, True),
        (NOON + 5 * MINUTE, True),
        (NOON + 6 * MINUTE, False),
        (NOON - timedelta(days=400), True),
        (NOON - timedelta(days=400) - MINUTE, False),
    ],
)
def test_windows_far_from_now_are_refused(start: Any, passes: bool) -> None:
    batch = a_batch([a_window(), a_window(start)])
    if passes:
        check_skew("batch", batch, NOON, UsageLimits())
        return
    with pytest.raises(InvalidInput) as caught:
        check_skew("batch", batch, NOON, UsageLimits())
    assert caught.value.field == "batch.window_start_seconds"


@given(
    good=st.lists(values.plain_sketches() | values.sketches, min_size=1, max_size=5), data=st.data()
)
def test_a_sketch_that_passes_can_be_read(good: list[LatencySketch], data: st.DataObject) -> None:
    column = [bytearray(sketch.to_bytes()) for sketch in good]
    row = data.draw(st.integers(0, len(column) - 1))
    place = data.draw(st.integers(0, len(column[row]) - 1))
    column[row][place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(column[row])))
    sketches = [bytes(one) for one in column]
    sketches[row] = sketches[row][:cut]
    complaint = ""
    try:
        check_sketches("column", sketches)
    except InvalidInput as error:
        complaint = error.field
    assert complaint in ("", f"column[{row}]")
    if not complaint:
        assert all(LatencySketch.from_bytes(sketch).count >= 0 for sketch in sketches)


@given(st.lists(values.maybe_sketches, max_size=6))
def test_every_sketch_of_ours_passes(sketches: list[LatencySketch | None]) -> None:
    check_sketches("column", [None if s is None else s.to_bytes() for s in sketches])


@pytest.mark.parametrize(
    "stamp", [Timestamp(seconds=1, nanos=1), Timestamp(seconds=-1), Timestamp(seconds=10**12)]
)
def test_an_instant_is_a_whole_second_of_our_time(stamp: Timestamp) -> None:
    with pytest.raises(InvalidInput, match="place"):
        fields.instant_from_wire("place", stamp)


@pytest.mark.parametrize(
    "length",
    [Duration(seconds=-1), Duration(nanos=-1), Duration(nanos=1), Duration(seconds=10**11)],
)
def test_a_length_is_positive_and_of_human_size(length: Duration) -> None:
    with pytest.raises(InvalidInput, match="place"):
        fields.length_from_wire("place", length)


def test_a_span_has_two_ends_in_order() -> None:
    with pytest.raises(InvalidInput, match=r"span\.end: is missing"):
        fields.span_from_wire("span", common_pb2.TimeSpan(start=Timestamp(seconds=60)))
    backwards = common_pb2.TimeSpan(start=Timestamp(seconds=60), end=Timestamp(seconds=0))
    with pytest.raises(InvalidInput, match="before the start"):
        fields.span_from_wire("span", backwards)


def test_a_query_needs_a_span_and_known_names() -> None:
    with pytest.raises(InvalidInput, match="span: is missing"):
        query_from_wire(usage_pb2.QueryUsageRequest(), CATALOGUE)
    span = common_pb2.TimeSpan(start=Timestamp(seconds=0), end=Timestamp(seconds=60))
    request = usage_pb2.QueryUsageRequest(span=span, filter=usage_pb2.UsageFilter(models=["gpt-0"]))
    with pytest.raises(UnknownModel):
        query_from_wire(request, CATALOGUE)


def test_a_stream_starts_within_a_day() -> None:
    early = usage_pb2.StreamUsageRequest(start=fields.instant_to_wire(NOON - timedelta(days=2)))
    with pytest.raises(InvalidInput, match="start"):
        stream_query_from_wire(early, CATALOGUE, NOON)


def test_a_forgotten_target_does_not_mean_zero() -> None:
    pool = common_pb2.PoolKey(region="east", model="alpha", vm_type="small")
    other = common_pb2.PoolKey(region="east", model="beta", vm_type="small")
    order = fleet_pb2.RedeployOrder(source=pool, destination=other, source_target_replicas=1)
    with pytest.raises(InvalidInput, match=r"order\.destination_target_replicas: is missing"):
        commands.redeploy_from_wire("order", order, CATALOGUE)
    supposed = plan_pb2.WhatIf(targets=[plan_pb2.SupposedTarget(pool=pool)])
    with pytest.raises(InvalidInput, match=r"targets\[0\].target_replicas: is missing"):
        questions.what_if_from_wire("what_if", supposed, CATALOGUE)


def test_an_observation_is_about_one_region_of_the_catalogue() -> None:
    message = fleet_pb2.RegionObservation(region="west", observed_at=fields.instant_to_wire(NOON))
    message.replicas.add(
        replica_id="r",
        address="a:1",
        pool=common_pb2.PoolKey(region="east", model="alpha", vm_type="small"),
    )
    with pytest.raises(InvalidInput, match="does not belong to west"):
        fleet.observation_from_wire("o", message, CATALOGUE)
    message.region = "atlantis"
    with pytest.raises(UnknownRegion):
        fleet.observation_from_wire("o", message, CATALOGUE)


@pytest.mark.parametrize("stage", ["desired", "provisioning", "loading", "ready", "failed"])
def test_no_pool_is_so_large_that_its_tables_fill_the_memory(stage: str) -> None:
    message = fleet_pb2.RegionObservation(region="east", observed_at=fields.instant_to_wire(NOON))
    pool = common_pb2.PoolKey(region="east", model="alpha", vm_type="small")
    message.pools.add(pool=pool, **{f"{stage}_replicas": 2**31 - 1})
    with pytest.raises(InvalidInput, match="cannot have 2147483647 replicas"):
        fleet.observation_from_wire("o", message, CATALOGUE)


def test_a_start_that_took_longer_than_any_is_no_lead_time() -> None:
    message = fleet_pb2.RegionObservation(region="east", observed_at=fields.instant_to_wire(NOON))
    message.lead_times.add(
        pool=common_pb2.PoolKey(region="east", model="alpha", vm_type="small"),
        start_kind=fleet_pb2.START_KIND_COLD,
        lead_time=Duration(seconds=8 * 86_400),
        ready_at=fields.instant_to_wire(NOON),
    )
    with pytest.raises(InvalidInput, match=r"o.lead_times\[0\].lead_time: 8 days"):
        fleet.observation_from_wire("o", message, CATALOGUE)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -0.5, 1e308])
def test_a_ratio_is_a_number_and_not_negative(number: float) -> None:
    message = fleet_pb2.RegionObservation(region="east", observed_at=fields.instant_to_wire(NOON))
    pool = common_pb2.PoolKey(region="east", model="alpha", vm_type="small")
    message.pools.add(pool=pool, utilisation_ratio=number)
    with pytest.raises(InvalidInput, match=r"o.pools\[0\].utilisation_ratio"):
        fleet.observation_from_wire("o", message, CATALOGUE)


@pytest.mark.parametrize("seconds", [0.0, 5e-324, 1e308, float("inf"), float("nan"), -1.0])
def test_a_refitted_law_has_times_that_an_engine_can_have(seconds: float) -> None:
    message = fleet_pb2.RegionObservation(region="east", observed_at=fields.instant_to_wire(NOON))
    message.laws.add(
        pool=common_pb2.PoolKey(region="east", model="alpha", vm_type="small"),
        prefill_seconds_per_token=1e-4,
        decode_base_seconds=seconds,
    )
    with pytest.raises(InvalidInput, match="measured_law: east/alpha/small"):
        fleet.observation_from_wire("o", message, CATALOGUE)


def waiting(model: str = "alpha", *due_in: timedelta, requests: int = 1) -> fleet_pb2.BatchBacklog:
    """A group for each length of time from the observation."""
    groups = [
        fleet_pb2.BacklogGroup(due=fields.instant_to_wire(NOON + one), requests=requests)
        for one in due_in
    ]
    return fleet_pb2.BatchBacklog(model=model, groups=groups)


@pytest.mark.parametrize(
    ("backlogs", "field", "error"),
    [
        ([waiting("gpt-0")], "[0].model", UnknownModel),
        ([waiting(""), waiting("beta")], "[0].model", UnknownModel),
        ([waiting("alpha"), waiting("alpha")], "[1].model", InvalidInput),
        ([waiting("alpha", MINUTE, requests=-1)], "[0].groups[0].requests", InvalidInput),
        ([waiting("alpha", MINUTE, requests=10**9 + 1)], "[0].groups[0].requests", InvalidInput),
        ([waiting("alpha", timedelta(days=401))], "[0].groups[0].due", InvalidInput),
        ([waiting("alpha", -timedelta(days=401))], "[0].groups[0].due", InvalidInput),
        ([waiting("alpha", 2 * MINUTE, MINUTE)], "[0].groups[1].due", InvalidInput),
        ([waiting("alpha", *[MINUTE] * 201)], "[0].groups", InvalidInput),
        (
            [fleet_pb2.BatchBacklog(model="alpha", groups=[fleet_pb2.BacklogGroup(requests=1)])],
            "[0].groups[0].due",
            InvalidInput,
        ),
    ],
)
def test_a_batch_backlog_is_of_known_models_and_due_within_reason(
    backlogs: list[fleet_pb2.BatchBacklog], field: str, error: type[HeliostatError]
) -> None:
    message = fleet_pb2.RegionObservation(region="east", observed_at=fields.instant_to_wire(NOON))
    message.batch_backlog.extend(backlogs)
    with pytest.raises(error) as caught:
        fleet.observation_from_wire("o", message, CATALOGUE)
    assert getattr(caught.value, "field", "") == f"o.batch_backlog{field}"


def test_a_model_that_offers_no_batch_work_has_no_backlog() -> None:
    mapping = catalogue_mapping()
    mapping["models"][0] = {**mapping["models"][0], "tiers": dict(mapping["models"][0]["tiers"])}
    del mapping["models"][0]["tiers"]["batch"]
    message = fleet_pb2.RegionObservation(region="east", observed_at=fields.instant_to_wire(NOON))
    message.batch_backlog.append(waiting("alpha"))
    with pytest.raises(UnknownTier, match="alpha offers"):
        fleet.observation_from_wire("o", message, a_catalogue(mapping))


def test_a_backlog_that_is_not_known_is_not_an_empty_one() -> None:
    message = fleet_pb2.RegionObservation(region="east", observed_at=fields.instant_to_wire(NOON))
    assert fleet.observation_from_wire("o", message, CATALOGUE).batch_backlog == ()
    message.batch_backlog.append(waiting("alpha"))
    (backlog,) = fleet.observation_from_wire("o", message, CATALOGUE).batch_backlog
    assert (backlog.model, backlog.groups, backlog.requests) == ("alpha", (), 0)


@pytest.mark.parametrize(
    ("name", "left"), [("beta", ["alpha"]), ("batch", []), ("big", ["alpha", "beta"])]
)
def test_what_a_control_plane_does_not_know_is_left_out_of_a_backlog(
    name: str, left: list[str]
) -> None:
    message = fleet_pb2.RegionObservation(region="east", observed_at=fields.instant_to_wire(NOON))
    message.batch_backlog.extend([waiting("alpha", MINUTE), waiting("beta")])
    assert leave_out(message, name) == (len(left) < 2)
    assert [backlog.model for backlog in message.batch_backlog] == left


@pytest.mark.parametrize("name", ["", "i-\0", "i" * 10_000])
def test_an_unknown_vm_has_a_name_that_can_be_shown(name: str) -> None:
    message = fleet_pb2.RegionObservation(region="east", observed_at=fields.instant_to_wire(NOON))
    message.unknown_vms.append(name)
    with pytest.raises(InvalidInput, match=r"o.unknown_vms\[0\]"):
        fleet.observation_from_wire("o", message, CATALOGUE)


def test_shares_that_do_not_add_up_are_refused() -> None:
    table = routing_pb2.RoutingTable(
        origin_region="east",
        valid_from=fields.instant_to_wire(NOON),
        stale_after=Duration(seconds=60),
        hop_header="x",
    )
    table.entries.add(model="alpha", tier=common_pb2.TIER_BATCH, shed_ppm=5)
    with pytest.raises(InvalidInput, match="do not add up"):
        routing.table_from_wire("table", table)


def test_a_forecast_has_finite_quantiles() -> None:
    message = forecasts.forecast_to_wire(a_forecast())
    message.quantiles[0].mean_tokens_per_second[0] = float("nan")
    with pytest.raises(InvalidInput, match="quantiles"):
        forecasts.forecast_from_wire("f", message)
    bare = forecast_pb2.Forecast()
    bare.CopyFrom(message)
    del bare.quantiles[:]
    with pytest.raises(InvalidInput, match="contains no quantile"):
        forecasts.forecast_from_wire("f", bare)


def test_a_page_token_belongs_to_its_filters() -> None:
    request = fleet_pb2.ListCommandsRequest(region="east", page_size=5)
    page = pages.page_of(request, default=100, limit=1000)
    assert (page.size, page.after) == (5, "")
    request.page_token = page.token("0007")
    assert pages.page_of(request, default=100, limit=1000).after == "0007"
    request.region = "west"
    with pytest.raises(InvalidInput, match="other filters"):
        pages.page_of(request, default=100, limit=1000)
    request.page_token = "%%%"
    with pytest.raises(InvalidInput, match="page_token"):
        pages.page_of(request, default=100, limit=1000)


def test_a_page_size_is_a_wish_within_limits() -> None:
    request = fleet_pb2.ListCommandsRequest()
    assert pages.page_of(request, default=100, limit=1000).size == 100
    request.page_size = 10**6
    assert pages.page_of(request, default=100, limit=1000).size == 1000
    request.page_size = -1
    with pytest.raises(InvalidInput, match="page_size"):
        pages.page_of(request, default=100, limit=1000)


def test_series_of_the_builders_are_known() -> None:
    batch = batch_from_wire("batch", a_message(), CATALOGUE)
    assert batch.series == (a_series(),)


@pytest.mark.parametrize("place", ["7", "x y", "1 2 3", "9" * 30 + " 1"])
def test_a_token_that_somebody_made_up_is_bad_input(place: str) -> None:
    request = audit_pb2.ListAuditRequest()
    request.page_token = pages.page_of(request, default=1, limit=1).token(place)
    page = pages.page_of(request, default=1, limit=1)
    with pytest.raises(InvalidInput, match="is not a valid page token"):
        page.place(audit.place_from_text)


def test_an_audit_request_needs_its_span_and_names_an_empty_filter() -> None:
    with pytest.raises(InvalidInput, match="span: is missing"):
        audit.audit_query_from_wire(audit_pb2.ListAuditRequest())
    request = audit_pb2.ListAuditRequest(authors=["operator:anna", ""])
    request.span.start.seconds, request.span.end.seconds = 0, 60
    with pytest.raises(InvalidInput, match=r"authors\[1\]: is empty"):
        audit.audit_query_from_wire(request)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"solve": {"objective_dollars": float("nan")}}, "plan.solve.objective_dollars"),
        ({"solve": {"lp_bound_dollars": float("inf")}}, "plan.solve.lp_bound_dollars"),
        ({"solve": {"nodes": -1}}, "plan.solve.nodes"),
    ],
)
def test_a_plan_with_numbers_that_are_none_is_named(change: dict[str, Any], field: str) -> None:
    message = plan_pb2.CapacityPlan(
        version=1,
        created_at=Timestamp(seconds=60),
        policy="heliostat",
        status=plan_pb2.PLAN_STATUS_SOLVED,
        origin=plan_pb2.PLAN_ORIGIN_SCHEDULED,
        first_step=Timestamp(seconds=60),
        step=Duration(seconds=900),
    )
    message.MergeFrom(plan_pb2.CapacityPlan(**change))
    with pytest.raises(InvalidInput) as caught:
        plans.plan_from_wire("plan", message)
    assert caught.value.field == field
