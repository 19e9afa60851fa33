"""How busy a replica was of late, and how full it is: what admission of batch work looks at."""

from __future__ import annotations

import math
from typing import Any

from simulation.event.compiled import kernel
from simulation.event.layout import BLOCK_SLACK_TOKENS, DECODE, IDLE
from simulation.event.timing import decode_work

SLOT_SECONDS = 10.0


@kernel
def book(replica: Any, begun: float, ended: float, seconds: float) -> None:
    """Count work that was done evenly between two instants, at the rate of a full replica."""
    replica.busy += seconds
    if begun >= replica.load_begun and ended < replica.load_begun + SLOT_SECONDS:
        replica.load_now += seconds
        return
    _turn_to(replica, ended)
    before, now = _split(begun, ended, seconds)
    replica.load_before += before
    replica.load_now += now


@kernel
def work_under_way(replica: Any, at: float) -> float:
    """Replica-seconds of the present doing that are done at that instant and not booked yet."""
    passed = at - replica.clock
    if passed <= 0.0 or replica.phase == IDLE:
        return 0.0
    if replica.phase == DECODE:
        return float(passed * decode_work(replica, 1) / replica.first_seconds)
    return float(replica.doing_work * min(1.0, passed / replica.doing_seconds))


@kernel
def recent_load(replica: Any, at: float) -> float:
    """The share of about the last ten seconds that was in use, 1 = all a full replica can do."""
    _turn_to(replica, at)
    before, now = _split(replica.clock, at, work_under_way(replica, at))
    part = at / SLOT_SECONDS - math.floor(at / SLOT_SECONDS)
    earlier = (1.0 - part) * (replica.load_before + before)
    return float((replica.load_now + now + earlier) / SLOT_SECONDS)


@kernel
def memory_share(replica: Any) -> float:
    """The share of the memory that sequences hold."""
    held = replica.held_tokens + BLOCK_SLACK_TOKENS * replica.held
    return float(held / replica.memory)


@kernel
def utilisation(replica: Any, at: float) -> float:
    """How full the replica is: memory, batch places or time, whichever is fullest; 1 when it queues."""
    if replica.waiting > 0:
        return 1.0
    full = max(memory_share(replica), replica.held / replica.limit)
    return float(max(full, recent_load(replica, at)))


@kernel
def _turn_to(replica: Any, at: float) -> None:
    """Let the slot that holds an instant be the present one."""
    begun = SLOT_SECONDS * math.floor(at / SLOT_SECONDS)
    if begun != replica.load_begun:
        follows = begun == replica.load_begun + SLOT_SECONDS
        replica.load_before = replica.load_now if follows else 0.0
        replica.load_now = 0.0
        replica.load_begun = begun


@kernel
def _split(begun: float, ended: float, seconds: float) -> tuple[float, float]:
    """Work done evenly between two instants: what falls into the slot before that of the end, and into
    that of the end."""
    if ended <= begun:
        return 0.0, seconds
    slot = SLOT_SECONDS * math.floor(ended / SLOT_SECONDS)
    now = min(1.0, (ended - slot) / (ended - begun))
    before = min(1.0 - now, SLOT_SECONDS / (ended - begun))
    return seconds * before, seconds * now
