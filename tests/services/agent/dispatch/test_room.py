"""What the dispatcher hears of replicas, and what it tells people, Prometheus and the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest
from numpy.random import SeedSequence
from prometheus_client import CollectorRegistry, generate_latest

from heliostat.errors import CorruptJournal, StorageUnavailable
from heliostat.model.names import PoolKey
from services.agent.dispatch.exposition import DispatchCollector
from services.agent.dispatch.news import Why
from services.agent.dispatch.sight import RememberingProber, WatchedDriver
from services.agent.drivers.simulated import simulated_driver
from services.agent.drivers.vm.cloud import EngineReading
from services.log_events import FIELDS
from tests.builders import MINUTE, NOON, a_catalogue, a_pool
from tests.support.agents import EAST
from tests.support.dispatching import IDLE, SILENT, Counter, an_end, an_endpoint
from tests.support.waiting import until


def events(caplog: pytest.LogCaptureFixture, name: str) -> list[dict[str, Any]]:
    return [getattr(one, FIELDS) for one in caplog.records if one.getMessage() == name]


def test_a_watched_driver_keeps_what_it_observed_and_when_it_began() -> None:
    driver = simulated_driver(EAST, a_catalogue(), SeedSequence(1))
    watched = WatchedDriver(driver, lambda: {"vm": IDLE}, lambda: 42.5)
    before = watched.latest
    observation = watched.observe(NOON)
    after = watched.latest
    assert before is None
    assert after is not None
    assert (after.at, after.endpoints) == (42.5, observation.replicas)
    assert after.readings == {"vm": IDLE}


class OneAnswer:
    def probe(self, engines: Mapping[str, PoolKey]) -> Mapping[str, EngineReading]:
        return dict.fromkeys(engines, IDLE)


def test_a_remembering_prober_keeps_its_last_answers() -> None:
    prober = RememberingProber(OneAnswer())
    assert prober.readings() == {}
    assert prober.probe({"a": a_pool()}) == prober.readings() == {"a": IDLE}
    prober.probe({"b": a_pool()})
    assert set(prober.readings()) == {"b"}


async def test_an_older_look_changes_nothing(desk: Counter) -> None:
    await desk.show(an_endpoint())
    fuller = EngineReading(healthy=True, running_requests=9, waiting_requests=0, kv_occupancy=0.1)
    desk.seconds -= 5
    await desk.show(an_endpoint(), reading=fuller)
    (replica,) = (await desk.room.view()).replicas
    assert replica.running_requests == 0


async def test_a_thousand_looks_are_taken_in_over_a_few_beats(desk: Counter) -> None:
    await desk.show(*(an_endpoint(n, address=f"host-{n}") for n in range(250)))
    assert (await desk.room.view()).bases[0].fresh_replicas == 100
    await desk.room.beat()
    await desk.room.beat()
    assert (await desk.room.view()).bases[0].fresh_replicas == 250


async def test_replicas_that_nobody_has_looked_at_yet_are_no_warning(
    desk: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await desk.show(an_endpoint(), reading=SILENT)
    (basis,) = (await desk.room.view()).bases
    assert (basis.fresh_replicas, basis.new_replicas, basis.ready_replicas) == (0, 1, 1)
    assert [one["why"] for one in events(caplog, "dispatch_basis_changed")] == [Why.NEW]
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


async def test_replicas_that_say_nothing_for_too_long_are_a_warning(
    desk: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.show(an_endpoint(), reading=SILENT)
    await desk.wait(desk.settings.stale_after.total_seconds() + 1)
    assert (await desk.room.view()).bases[0].new_replicas == 0
    assert [one["why"] for one in events(caplog, "dispatch_basis_changed")] == [Why.STALE]


async def test_signals_that_grew_old_are_a_warning_and_said_once(
    desk: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.show(an_endpoint())
    for _ in range(3):
        await desk.wait(desk.settings.stale_after.total_seconds() + 1)
    assert [one["why"] for one in events(caplog, "dispatch_basis_changed")] == [Why.STALE]


async def test_a_replica_that_joins_silent_ones_is_no_second_warning(
    desk: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.show(an_endpoint(), reading=SILENT)
    await desk.wait(desk.settings.stale_after.total_seconds() + 1)
    caplog.clear()
    caplog.set_level(logging.INFO)
    await desk.show(an_endpoint(), an_endpoint(1), reading=SILENT)
    await desk.wait(desk.settings.stale_after.total_seconds() + 1)
    assert events(caplog, "dispatch_basis_changed") == []
    await desk.show(an_endpoint(), an_endpoint(1))
    assert [one["why"] for one in events(caplog, "dispatch_basis_changed")] == [Why.FRESH]


async def test_a_look_that_is_only_partly_read_is_no_reason_to_warn(
    desk: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    endpoints = [an_endpoint(n, address=f"host-{n}") for n in range(250)]
    for _ in range(2):
        await desk.show(*endpoints)
        beats = 0
        while desk.room.taking_in:
            await desk.room.beat()
            beats += 1
        assert beats == 2
        desk.seconds += 15 * MINUTE.total_seconds()
    assert events(caplog, "dispatch_basis_changed") == []


async def test_a_change_of_basis_and_lost_places_are_logged(
    desk: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await desk.show(an_endpoint(), reading=SILENT)
    await desk.room.beat()
    desk.ask()
    desk.seconds += 1
    await desk.show(an_endpoint(1))
    assert [one["basis"] for one in events(caplog, "dispatch_basis_changed")] == [
        "round-robin",
        "signals",
    ]
    assert [one["requests"] for one in events(caplog, "places_withdrawn")] == [1]


async def test_prometheus_reads_decisions_and_what_is_open(desk: Counter) -> None:
    await desk.show(an_endpoint())
    desk.ask("r-1")
    desk.ask("r-2")
    desk.room.complete(an_end("r-2", ttft_seconds=0.25))
    await desk.ask_batch("b-1")
    registry = CollectorRegistry()
    registry.register(DispatchCollector(EAST, desk.room))
    text = generate_latest(registry).decode()
    for line in (
        'heliostat_dispatch_decisions_total{outcome="placed_by_signals",region="east"} 2.0',
        'heliostat_dispatch_booked_requests{region="east"} 1.0',
        'heliostat_dispatch_batch_waiting_requests{region="east"} 1.0',
        'heliostat_dispatch_measured_ttft_seconds_total{region="east"} 0.25',
    ):
        assert line in text


async def test_what_could_not_be_put_back_is_put_back_later(desk: Counter) -> None:
    await desk.show(an_endpoint())
    await desk.ask_batch("b-1")
    with desk.room.stream("gw"):
        await desk.wait(1.0)
    desk.file.read("PRAGMA query_only=1")
    desk.seconds += 60 * MINUTE.total_seconds()
    with pytest.raises(StorageUnavailable):
        await desk.room.beat()
    desk.file.read("PRAGMA query_only=0")
    await desk.room.beat()
    assert desk.room.batch_waiting == 1


async def test_a_damaged_row_of_the_queue_ends_this_life_and_the_next_begins_afresh(
    desk: Counter,
) -> None:
    await desk.ask_batch("b-1")
    with desk.file.transaction(durable=True) as write:
        write.execute("UPDATE batch_requests SET ask = X'0A00'")
    await desk.show(an_endpoint())
    desk.seconds += 1
    with desk.room.stream("gw"), pytest.raises(CorruptJournal):
        await desk.room.run()
    desk.restart()
    assert desk.file.loss is not None
    assert "a row of batch_requests is damaged" in str(desk.file.loss)
    assert desk.room.batch_waiting == 0


async def test_after_a_stop_gateways_are_heard_before_places_are_taken_back(
    desk: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.show(an_endpoint())
    for name in ("renewed", "silent"):
        desk.ask(name)
    running = asyncio.create_task(desk.room.run())
    await desk.room.warm()
    await asyncio.sleep(0)  # it waits for its next beat
    desk.seconds += 10 * MINUTE.total_seconds()
    await until(lambda: bool(events(caplog, "dispatch_was_stopped")))
    assert desk.room.booked == 2
    desk.room.renew(["renewed"])
    await until(lambda: desk.room.booked == 1)
    assert desk.room.complete(an_end("renewed")) is True
    running.cancel()
