"""Orders by hand are absolute, idempotent, audited, and survive the planner until they expire."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from heliostat.errors import (
    InvalidInput,
    ModeForbids,
    OverrideExpired,
    RequestIdReused,
    StaleEtag,
    UnknownModel,
    UnknownRegion,
)
from heliostat.loops.manual import ManualDesk, ManualOrder
from heliostat.model.command import CommandState, RedeployOrder, ScaleOrder
from heliostat.model.governance import Mode
from heliostat.model.instants import Span
from heliostat.model.names import PoolKey, RegionName
from tests.builders import MINUTE, NOON, a_catalogue, a_pool
from tests.heliostat.fakes import BusyDecisions, a_house

POOL = a_pool()
HOUR = timedelta(hours=1)


def manual(target: int = 4, **changes: Any) -> ManualOrder:
    order = ManualOrder(
        order=ScaleOrder(pool=POOL, target_replicas=target),
        author="ada",
        reason="launch day",
        request_id="r-1",
        expires_at=NOON + HOUR,
    )
    return replace(order, **changes)


def test_in_active_mode_an_order_is_a_command_and_an_override() -> None:
    house = a_house()
    house.set_mode(Mode.ACTIVE)
    command = house.desk.order(manual(), NOON, epoch=house.epoch)
    assert command.state is CommandState.PENDING
    (override,) = house.stores.overrides.overrides(NOON)
    assert (override.pool, override.target_replicas, override.author) == (POOL, 4, "ada")
    assert house.stores.overrides.overrides(NOON + HOUR) == ()
    acts = [r.action for r in house.stores.audit.records(Span(NOON, NOON + MINUTE))]
    assert "scale-pool" in acts


def test_in_advisory_mode_nothing_needs_overriding() -> None:
    house = a_house()
    house.desk.order(manual(), NOON, epoch=house.epoch)
    assert house.stores.overrides.overrides(NOON) == ()


def test_in_paused_mode_nothing_is_ordered() -> None:
    house = a_house()
    house.set_mode(Mode.PAUSED)
    with pytest.raises(ModeForbids, match="east is paused"):
        house.desk.order(manual(), NOON, epoch=house.epoch)


def test_the_same_request_gives_the_same_command_and_another_one_is_refused() -> None:
    house = a_house()
    house.set_mode(Mode.ACTIVE)
    first = house.desk.order(manual(), NOON, epoch=house.epoch)
    again = house.desk.order(manual(), NOON + MINUTE, epoch=house.epoch)
    assert again.command_id == first.command_id
    assert len(house.stores.outbox.commands()) == 1
    with pytest.raises(RequestIdReused):
        house.desk.order(manual(target=9), NOON + MINUTE, epoch=house.epoch)
    (override,) = house.stores.overrides.overrides(NOON + MINUTE)
    assert override.target_replicas == 4


def test_a_dry_run_stores_nothing() -> None:
    house = a_house()
    command = house.desk.order(manual(validate_only=True, request_id=""), NOON, epoch=house.epoch)
    assert command.order == ScaleOrder(pool=POOL, target_replicas=4)
    assert house.stores.outbox.commands() == ()


def test_the_audit_log_says_in_words_what_was_ordered() -> None:
    house = a_house()
    house.desk.order(manual(), NOON, epoch=house.epoch)
    (record,) = house.stores.audit.records(Span(NOON, NOON + MINUTE))
    assert record.detail.startswith(f"{POOL} → 4: ")


def test_an_etag_protects_from_what_happened_since_the_caller_looked() -> None:
    house = a_house()
    seen = house.desk.pool_etag(POOL, NOON)
    house.desk.order(manual(etag=seen), NOON, epoch=house.epoch)
    with pytest.raises(StaleEtag):
        house.desk.order(manual(etag=seen, request_id="r-2"), NOON, epoch=house.epoch)


def test_an_etag_protects_also_once_the_clock_was_set_back() -> None:
    house = a_house()
    house.desk.order(manual(expires_at=NOON + 5 * HOUR), NOON + 2 * HOUR, epoch=house.epoch)
    seen = house.desk.pool_etag(POOL, NOON)
    house.desk.order(manual(5, etag=seen, request_id="r-2"), NOON, epoch=house.epoch)
    with pytest.raises(StaleEtag):
        house.desk.order(manual(6, etag=seen, request_id="r-3"), NOON + MINUTE, epoch=house.epoch)


def test_an_etag_protects_from_what_happens_just_before_the_order_is_stored() -> None:
    house = a_house({POOL: 7})
    house.set_mode(Mode.ACTIVE)

    def first() -> None:
        house.loop.replan(NOON + MINUTE, epoch=house.epoch)

    decisions = BusyDecisions(store=house.stores.decisions, first=[first])
    desk = ManualDesk(
        stores=replace(house.stores, decisions=decisions),
        catalogue=a_catalogue(),
        command_lifetime=HOUR,
    )
    asked = manual(etag=desk.pool_etag(POOL, NOON))
    with pytest.raises(StaleEtag):
        desk.order(asked, NOON + MINUTE, epoch=house.epoch)
    assert {command.author for command in house.stores.outbox.commands()} == {"planner"}
    assert desk.order(replace(asked, etag=""), NOON + MINUTE, epoch=house.epoch).author == "ada"


def test_an_etag_tells_two_orders_of_one_second_apart() -> None:
    house = a_house()
    house.desk.order(manual(), NOON, epoch=house.epoch)
    seen = house.desk.pool_etag(POOL, NOON)
    house.desk.order(manual(2, request_id="r-2"), NOON, epoch=house.epoch)
    with pytest.raises(StaleEtag):
        house.desk.order(manual(8, etag=seen, request_id="r-3"), NOON, epoch=house.epoch)


def test_the_same_request_gives_the_same_command_whatever_has_changed_since() -> None:
    house = a_house()
    asked = manual(etag=house.desk.pool_etag(POOL, NOON))
    first = house.desk.order(asked, NOON, epoch=house.epoch)
    assert house.desk.order(asked, NOON, epoch=house.epoch) == first
    house.set_mode(Mode.PAUSED)
    assert house.desk.order(asked, NOON + 2 * HOUR, epoch=house.epoch) == first
    with pytest.raises(RequestIdReused):
        house.desk.order(replace(asked, order=manual(target=9).order), NOON, epoch=house.epoch)


def test_a_dry_run_is_held_against_the_present_also_of_a_request_that_came_before() -> None:
    house = a_house()
    asked = manual(etag=house.desk.pool_etag(POOL, NOON))
    house.desk.order(asked, NOON, epoch=house.epoch)
    with pytest.raises(StaleEtag):
        house.desk.order(replace(asked, validate_only=True), NOON, epoch=house.epoch)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"reason": ""}, InvalidInput),
        ({"request_id": ""}, InvalidInput),
        ({"expires_at": NOON}, OverrideExpired),
        ({"order": ScaleOrder(pool=POOL, target_replicas=31)}, InvalidInput),
        ({"order": ScaleOrder(pool=POOL, target_replicas=0)}, InvalidInput),
        (
            {"order": ScaleOrder(pool=PoolKey.parse("mars/alpha/small"), target_replicas=2)},
            UnknownRegion,
        ),
        (
            {"order": ScaleOrder(pool=PoolKey.parse("east/gamma/small"), target_replicas=2)},
            UnknownModel,
        ),
    ],
)
def test_an_order_that_cannot_be_is_refused_and_stores_nothing(
    change: dict[str, Any], error: type[Exception]
) -> None:
    house = a_house()
    with pytest.raises(error):
        house.desk.order(manual(**change), NOON, epoch=house.epoch)
    assert house.stores.outbox.commands() == ()


def test_a_redeployment_overrides_both_pools() -> None:
    house = a_house()
    house.set_mode(Mode.ACTIVE)
    beta = a_pool(model="beta")
    order = RedeployOrder(source=POOL, source_target=2, destination=beta, destination_target=5)
    house.desk.order(manual(order=order), NOON, epoch=house.epoch)
    assert {o.pool: o.target_replicas for o in house.stores.overrides.overrides(NOON)} == {
        POOL: 2,
        beta: 5,
    }


def test_a_change_of_mode_needs_a_reason_and_a_known_region() -> None:
    house = a_house()
    with pytest.raises(UnknownRegion):
        house.set_mode(Mode.ACTIVE, RegionName("mars"))
    house.set_mode(Mode.ACTIVE, POOL.region)
    assert house.stores.modes.modes().of(POOL.region) is Mode.ACTIVE
