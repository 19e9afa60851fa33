"""Where each kind of variable stands in the programme's column vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planning.arrays import Floats, Ints
from planning.milp.instance import Instance


@dataclass(frozen=True, slots=True)
class Block:
    """A matrix of variables (items × steps) stored as consecutive columns, item by item."""

    start: int
    items: int
    steps: int

    @property
    def end(self) -> int:
        """The first column after the block."""
        return self.start + self.items * self.steps

    @property
    def index(self) -> Ints:
        """Column numbers, shape (items, steps)."""
        return np.arange(self.start, self.end, dtype=np.int64).reshape(self.items, self.steps)

    def of(self, values: Floats) -> Floats:
        """This block's part of a column vector, shape (items, steps)."""
        return values[self.start : self.end].reshape(self.items, self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """All blocks of one programme, in the letters of the package's docstring."""

    n: Block
    u: Block
    d: Block
    y: Block
    x: Block
    s: Block
    v: Block
    floor_gap: Block
    over_budget: Block

    @property
    def count(self) -> int:
        """How many columns there are."""
        return self.over_budget.end


def lay_out(instance: Instance) -> Columns:
    """Blocks one after the other; those that the instance does not use are empty."""
    moves = instance.moves
    moving = instance.pools if moves is not None else 0
    sizes = {
        "n": instance.pools,
        "u": moving,
        "d": moving,
        "y": len(moves.redeploys) if moves is not None else 0,
        "x": len(instance.arc_pool),
        "s": len(instance.demand),
        "v": len(instance.covers),
        "floor_gap": instance.pools,
        "over_budget": 0 if instance.budget is None else 1,
    }
    blocks: dict[str, Block] = {}
    start = 0
    for name, items in sizes.items():
        blocks[name] = Block(start, items, instance.steps)
        start = blocks[name].end
    return Columns(**blocks)
