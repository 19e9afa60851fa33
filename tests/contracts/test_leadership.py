"""What every leadership promises, and the fence that every deciding write goes through."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from heliostat.errors import Fenced, LeaseLost, SecondControlPlane
from heliostat.model.forecast import Champion
from heliostat.model.governance import Mode, ModeSetting
from heliostat.ports.decisions import Decision
from heliostat.ports.leadership import Lease
from heliostat.ports.stores import Stores
from tests.contracts.builders import (
    EU,
    T0,
    at,
    audit,
    command,
    demand_key,
    forecast,
    override,
    plan,
    span,
    table,
)
from tests.contracts.worlds import TTL, World


def take(stores: Stores, holder: str) -> Lease | None:
    """Acquire, where SQLite's refusal of a second control plane counts as None."""
    try:
        return stores.leadership.acquire(holder, f"{holder}:7000", TTL)
    except SecondControlPlane:
        return None


def test_nobody_leads_at_first(world: World) -> None:
    assert world.stores.leadership.current() is None


def test_a_free_lease_is_taken_and_seen(world: World) -> None:
    lease = world.lease()
    assert (lease.holder, lease.address, lease.epoch) == ("alpha", "alpha:7000", 1)
    assert world.open_again().leadership.current() == lease


def test_the_holder_renews_under_the_same_epoch(world: World) -> None:
    lease = world.lease()
    assert world.lease().epoch == lease.epoch
    renewed = world.stores.leadership.renew(lease, 2 * TTL)
    assert renewed.epoch == lease.epoch
    assert renewed.expires_at > lease.expires_at


def test_somebody_else_waits_while_the_lease_is_held(world: World) -> None:
    lease = world.lease()
    assert take(world.open_again(), "beta") is None
    assert world.stores.leadership.current() == lease


def test_sqlite_refuses_a_second_control_plane_by_name(world: World) -> None:
    world.lease()
    second = world.open_again().leadership
    if world.name == "sqlite":
        with pytest.raises(SecondControlPlane, match="alpha at alpha:7000"):
            second.acquire("beta", "beta:7000", TTL)
    else:
        assert second.acquire("beta", "beta:7000", TTL) is None


def test_a_lease_that_ran_out_is_taken_under_a_new_epoch(world: World) -> None:
    lease = world.lease()
    world.let_lease_run_out()
    assert world.stores.leadership.current() is None
    taken = take(world.open_again(), "beta")
    assert taken is not None
    assert taken.epoch > lease.epoch
    with pytest.raises(LeaseLost):
        world.stores.leadership.renew(lease, TTL)


def test_a_lease_that_ran_out_cannot_be_renewed_even_if_nobody_took_it(world: World) -> None:
    lease = world.lease()
    world.let_lease_run_out()
    with pytest.raises(LeaseLost):
        world.stores.leadership.renew(lease, TTL)
    assert world.lease().epoch > lease.epoch


def test_a_released_lease_is_free_at_once(world: World) -> None:
    lease = world.lease()
    world.stores.leadership.release(lease)
    world.stores.leadership.release(lease)
    assert world.stores.leadership.current() is None
    taken = take(world.open_again(), "beta")
    assert taken is not None
    assert taken.epoch > lease.epoch
    world.stores.leadership.release(lease)
    assert world.stores.leadership.current() == taken


def test_of_two_that_compete_one_leads(world: World) -> None:
    rivals = {"alpha": world.stores, "beta": world.open_again()}
    together = Barrier(2)

    def compete(holder: str) -> Lease | None:
        together.wait()
        return take(rivals[holder], holder)

    with ThreadPoolExecutor(2) as threads:
        leases = list(threads.map(compete, rivals))
    assert sum(lease is not None for lease in leases) == 1


# --- the fence -----------------------------------------------------------------------------------

FENCED: dict[str, Callable[[Stores, int], object]] = {
    "plan": lambda s, epoch: s.decisions.commit(Decision(plan=plan()), epoch=epoch),
    "command": lambda s, epoch: s.decisions.commit(Decision(commands=(command(),)), epoch=epoch),
    "tables": lambda s, epoch: s.decisions.commit(Decision(tables=(table(),)), epoch=epoch),
    "override": lambda s, epoch: s.decisions.commit(
        Decision(overrides=(override(),), audit=(audit(),)), epoch=epoch
    ),
    "mode": lambda s, epoch: s.decisions.commit(
        Decision(mode=ModeSetting(region=EU, mode=Mode.ACTIVE, author="a", reason="r", at=T0)),
        epoch=epoch,
    ),
    "forecasts": lambda s, epoch: s.forecasts.store((forecast(),), epoch=epoch),
    "champions": lambda s, epoch: s.forecasts.store_champions(
        (Champion(key=demand_key(), method="m", since=T0, reason="r", losses=()),), epoch=epoch
    ),
    "scores": lambda s, epoch: s.forecasts.store_scores((), T0, epoch=epoch),
    "cancel": lambda s, epoch: s.outbox.cancel("x", etag="", author="a", now=T0, epoch=epoch),
    "expire": lambda s, epoch: s.outbox.expire(T0, epoch=epoch),
    "cancel override": lambda s, epoch: s.overrides.cancel_override(
        "x", author="a", now=T0, epoch=epoch
    ),
}


def nothing_decided(stores: Stores) -> bool:
    return not any(
        (
            stores.plans.latest_plan(),
            stores.outbox.commands(),
            stores.routing.latest_tables(),
            stores.overrides.overrides(T0),
            stores.modes.modes().settings,
            stores.forecasts.latest(at(60)),
            stores.forecasts.champions(),
            stores.audit.records(span(60)),
        )
    )


@pytest.mark.parametrize("write", FENCED.values(), ids=FENCED.keys())
def test_a_paused_leader_that_wakes_late_writes_nothing(
    world: World, write: Callable[[Stores, int], object]
) -> None:
    epoch = world.lead()
    world.let_lease_run_out()
    with pytest.raises(Fenced):
        write(world.stores, epoch)
    assert take(world.open_again(), "beta") is not None
    with pytest.raises(Fenced):
        write(world.stores, epoch)
    assert nothing_decided(world.stores)


@pytest.mark.parametrize("epoch", [0, 2])
def test_no_epoch_but_the_present_one_may_write(world: World, epoch: int) -> None:
    with pytest.raises(Fenced):
        world.stores.decisions.commit(Decision(plan=plan()), epoch=1)
    world.lead()
    with pytest.raises(Fenced):
        world.stores.decisions.commit(Decision(plan=plan()), epoch=epoch)
    assert nothing_decided(world.stores)
