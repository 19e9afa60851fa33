"""Whatever is ordered and wherever the agent dies: the order ends once, and what stands is what was ordered.

The same steps as the kill -9 test on AWS, in memory, so that releases, redeploys, cancellations, lost
answers and slow listings are walked through as well.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from heliostat.model.command import Command, CommandState
from services.agent.journal.driver_memory import SqliteDriverMemory
from tests.builders import MINUTE, NOON, a_pool
from tests.support.agents import AgentDisk, a_command, a_redeploy, beta_pool
from tests.support.crashes import Fate, live
from tests.support.vm_cloud import MemoryVms

Deliveries = Callable[[datetime], list[Command]]


class Killed(BaseException):
    """Like SIGKILL: nothing may catch it."""


def die() -> None:
    raise Killed


def lives(
    folder: Path, cloud: MemoryVms, deliveries: Deliveries, step: int
) -> tuple[bool, AgentDisk]:
    """One life that dies at the step, and one that goes on; returns whether the first got so far."""
    disk = AgentDisk(folder)
    fate = Fate(step, die)
    cloud.while_redeploying = fate.before
    start = cloud.now

    def at(now: datetime) -> None:
        cloud.now = now

    def one(fate: Fate) -> None:
        file = disk.file(cloud.now)
        live(
            journal=disk.journal_in(file),
            memory=SqliteDriverMemory(file),
            cloud=cloud,
            prober=cloud,
            fate=fate,
            deliveries=deliveries,
            start=cloud.now,
            ticks=40,
            at=at,
        )

    try:
        one(fate)
    except Killed:
        cloud.while_redeploying = lambda _: None
        cloud.now += MINUTE
        one(Fate(0, die))
    assert cloud.now - start < 40 * MINUTE
    return len(fate.taken) == step, disk


def purchase(_: datetime) -> list[Command]:
    return [a_command(target=3, created_at=NOON)]


def cancelled(now: datetime) -> list[Command]:
    state = CommandState.CANCELLED if now > NOON else CommandState.LEASED
    return [a_command(target=3, created_at=NOON, state=state)]


def superseded(now: datetime) -> list[Command]:
    later = a_command(target=1, number=2, created_at=NOON + MINUTE)
    return [*purchase(now), later] if now > NOON else purchase(now)


def release(_: datetime) -> list[Command]:
    return [a_command(target=1, number=3, created_at=NOON)]


def redeploy(_: datetime) -> list[Command]:
    return [a_redeploy(1, 2, number=3)]


def redeploy_cancelled(now: datetime) -> list[Command]:
    state = CommandState.CANCELLED if now >= NOON + 4 * MINUTE else CommandState.LEASED
    return [replace(a_redeploy(1, 2, number=3), state=state)]


@pytest.mark.parametrize(
    ("deliveries", "stands_before", "alpha", "beta", "ends", "lost_answers"),
    [
        (purchase, 0, 3, 0, ["applied"], 0),
        (purchase, 0, 3, 0, ["applied"], 1),
        (superseded, 0, 1, 0, ["cancelled", "applied"], 1),
        (cancelled, 0, None, 0, ["cancelled"], 0),
        (superseded, 0, 1, 0, ["cancelled", "applied"], 0),
        (release, 3, 1, 0, ["applied"], 0),
        (redeploy, 3, 1, 2, ["applied"], 0),
        (redeploy_cancelled, 3, None, None, ["cancelled"], 0),
    ],
)
def test_at_every_step(
    tmp_path: Path,
    deliveries: Deliveries,
    stands_before: int,
    alpha: int | None,
    beta: int | None,
    ends: list[str],
    lost_answers: int,
) -> None:
    step, killed = 0, True
    while killed:
        step += 1
        folder = tmp_path / str(step)
        folder.mkdir()
        cloud = MemoryVms(NOON, boot=timedelta(0))
        if stands_before:
            _, disk = lives(folder, cloud, lambda _: [a_command(target=stands_before)], 0)
            journal = disk.journal()
            for word in journal.unsent_acks():
                journal.ack_sent(word)
            disk.close()
        cloud.lose_answers, cloud.lag = lost_answers, MINUTE
        killed, disk = lives(folder, cloud, deliveries, step)
        where = f"killed at step {step}"
        journal = disk.journal()
        assert [word.state.value for word in journal.unsent_acks()] == ends, where
        observed = journal.unsent_observation()
        assert observed is not None
        assert observed.unknown_vms == (), where
        standing = {pool.pool: pool.standing for pool in observed.pools}
        assert sum(standing.values()) == cloud.paid(), where
        pools = {replica.replica_id: replica.pool for replica in observed.replicas}
        assert pools == {vm: cloud.serves[vm] for vm in pools}, where
        if beta is not None:
            assert standing[beta_pool()] == beta, where
        if alpha is not None:
            assert standing[a_pool()] == alpha, where
        disk.close()
    assert step > 5
