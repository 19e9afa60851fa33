"""Assigns replicas to slots, grows the slots, and records replica changes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from heliostat.errors import InvalidInput
from heliostat.model.names import PoolKey
from simulation.engine import Change, ReplicaChange
from simulation.event.arrays import Arrays, Records
from simulation.event.layout import (
    ARRAYS,
    BECOMES_READY,
    BLOCK_TOKENS,
    CHANGE,
    DRAINS,
    END,
    FAILS,
    GAP_SAMPLES,
    GOES,
    NOBODY,
    NODE,
    OFF,
    REPLICA,
)
from simulation.event.setting import Places, most_sequences, output_token_seconds, set_law
from simulation.local_policy import LocalPolicy

_FIRST_SLOTS = 4
_WHAT = {
    Change.READY: BECOMES_READY,
    Change.DRAINING: DRAINS,
    Change.EVICTING: DRAINS,
    Change.GONE: GOES,
    Change.FAILED: FAILS,
}


class Roster:
    """Replicas by name; a cell's stand in a block of slots whose number is a power of two."""

    def __init__(self, places: Places, arrays: Arrays, policy: LocalPolicy) -> None:
        self._places, self._arrays, self._policy = places, arrays, policy
        laws = (places.catalogue.law(pool.model, pool.vm_type) for pool in places.pools)
        self._sequences = max((most_sequences(law, policy) for law in laws), default=1)
        arrays.set(slot_sequences=self._sequences)
        self._slot: dict[str, int] = {}
        self._coming: set[int] = set()
        self._nothing_told = False
        self._ever = 0
        self.retired_work = np.zeros(len(places.pools))
        """Replica-seconds of work, per pool, of replicas whose slots others took."""
        for name in ("replicas", "work", "due", "ends", "gaps"):
            arrays.put(name, np.zeros(0, ARRAYS[name]))
        self._build([_FIRST_SLOTS] * places.cells)

    def slot(self, replica_id: str) -> int | None:
        """Where a replica stands; None when it does not."""
        return self._slot.get(replica_id)

    def write_down(self, changes: Sequence[ReplicaChange], start: datetime) -> None:
        """Hand the changes to the cells, each its own in order of time; seconds count from `start`.

        Raises InvalidInput for a pool that the catalogue does not have.
        """
        self._coming.clear()
        if not changes and self._nothing_told:
            return
        self._nothing_told = not changes
        for change in changes:
            if change.pool not in self._places.pool_at:
                raise InvalidInput("changes", f"{change.pool} is not a pool of the catalogue")
        self._make_room(
            Counter(self._places.cell(one.pool) for one in changes if one.what is Change.READY)
        )
        by_cell: list[list[tuple[float, int, str]]] = [[] for _ in range(self._places.cells)]
        for change in changes:
            if change.what is Change.READY:
                self._slot[change.replica_id] = self._take_slot(change.pool)
            elif change.replica_id not in self._slot:
                continue
            at = (change.at - start).total_seconds()
            cell = self._places.cell(change.pool)
            by_cell[cell].append((at, _WHAT[change.what], change.replica_id))
        rows = [row for rows in by_cell for row in rows]
        told = np.zeros(max(1, len(rows)), CHANGE)
        for record, (at, what, replica_id) in zip(told, rows, strict=False):
            record["at"], record["what"], record["slot"] = at, what, self._slot[replica_id]
        for _, what, replica_id in rows:
            if what in (GOES, FAILS):
                self._slot.pop(replica_id, None)
        self._arrays.put("changes", told)
        cells = self._arrays["cells"]
        cells["change_end"] = np.cumsum([len(rows) for rows in by_cell])
        cells["change"] = cells["change_end"] - [len(rows) for rows in by_cell]

    def _make_room(self, coming: Mapping[int, int]) -> None:
        """Double the blocks of cells, given by place, until so many more replicas can stand there."""
        cells, standing = self._arrays["cells"], self._arrays["replicas"]["standing"]
        sizes = cells["slots"].tolist()
        before = list(sizes)
        for place, replicas in coming.items():
            base, slots = int(cells["base"][place]), before[place]
            taken = int(np.count_nonzero(standing[base : base + slots] != OFF))
            while sizes[place] < taken + replicas:
                sizes[place] *= 2
        if sizes != before:
            self._build(sizes)

    def _take_slot(self, pool: PoolKey) -> int:
        """A free slot of the pool's cell, made ready for one of its replicas; there is one."""
        slot = self._free_slot(self._places.cell(pool))
        self._coming.add(slot)
        self._move_in(slot, pool)
        return slot

    def _free_slot(self, place: int) -> int:
        cell = self._arrays["cells"][place]
        block = range(int(cell["base"]), int(cell["base"] + cell["slots"]))
        standing = self._arrays["replicas"]["standing"]
        return next(s for s in block if standing[s] == OFF and s not in self._coming)

    def _move_in(self, slot: int, pool: PoolKey) -> None:
        model = self._places.catalogue.model(pool.model)
        law = model.engines[pool.vm_type]
        replica = self._arrays["replicas"][slot : slot + 1]
        self.retired_work[replica["pool"]] += replica["busy"]
        replica[:] = _nobody(1)
        replica["pool"] = self._places.pool_at[pool]
        self._ever += 1
        replica["number"] = self._ever
        set_law(replica, law)
        replica["output_seconds"] = output_token_seconds(model, law)
        replica["copy_seconds"] = law.kv_bytes_per_token / self._policy.host_copy_bytes_per_second
        replica["memory"] = law.kv_tokens // BLOCK_TOKENS * BLOCK_TOKENS
        most = most_sequences(law, self._policy)
        first = self._arrays.scalar("first_size") or most
        replica["most"] = most
        replica["decode_share"] = law.decode_base / most
        replica["limit"] = replica["batch_size"] = min(most, first)

    def _build(self, sizes: list[int]) -> None:
        """Blocks of these sizes; who stood somewhere stands in the same place of its block."""
        arrays, cells = self._arrays, self._arrays["cells"]
        old = [np.arange(base, base + slots) for base, slots in cells[["base", "slots"]].tolist()]
        bases = np.cumsum([0, *sizes])
        total = int(bases[-1])
        moved: dict[int, int] = {}
        replicas, ends = _nobody(total), np.zeros((total, self._sequences), END)
        work, due = np.full(total, math.inf), np.full(total, math.inf)
        gaps = np.zeros((total, 2 * GAP_SAMPLES))
        for base, slots in zip(bases, old, strict=False):
            new = np.arange(base, base + len(slots))
            moved.update(zip(slots.tolist(), new.tolist(), strict=True))
            replicas[new], work[new] = arrays["replicas"][slots], arrays["work"][slots]
            due[new] = arrays["due"][slots]
            ends[new] = arrays["ends"].reshape(-1, self._sequences)[slots]
            gaps[new] = arrays["gaps"].reshape(-1, 2 * GAP_SAMPLES)[slots]
        cells["base"], cells["slots"] = bases[:-1], sizes
        arrays.put("replicas", replicas)
        arrays.put("work", work)
        arrays.put("due", due)
        arrays.put("ends", ends.ravel())
        arrays.put("gaps", gaps.ravel())
        trees = [_tree(due, *block) for block in zip(bases, sizes, strict=False)]
        arrays.put("nodes", np.concatenate(trees))
        self._slot = {name: moved[slot] for name, slot in self._slot.items()}


def _nobody(slots: int) -> Records:
    rows = np.zeros(slots, REPLICA)
    for name in ("queue", "prompts_head", "prompts_tail"):
        rows[name] = NOBODY
    return rows


def _tree(due: Records, base: int, slots: int) -> Records:
    """The tournament among a block's slots: node j names the winner of nodes 2j and 2j + 1."""
    tree = np.zeros(2 * slots, NODE)
    tree["slot"][slots:] = np.arange(base, base + slots)
    tree["at"][slots:] = due[base : base + slots]
    for node in range(slots - 1, 0, -1):
        left, right = tree[2 * node], tree[2 * node + 1]
        tree[node] = left if left["at"] <= right["at"] else right
    return tree
