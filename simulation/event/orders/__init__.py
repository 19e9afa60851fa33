"""The orders in which requests wait at a replica: a compiled key each, the smallest is served first.

A key is told, of one request: `joined`, when it came (seconds since the beginning); `promise`, the
seconds to its first token that it was promised; `tier`, 0 interactive-fast, 1 interactive-normal, 2
batch; `prompt_tokens`; `expected_seconds`, the replica-seconds that outputs of its tier take on the
mean, since nobody knows its own; `now`; and two numbers `a`, `b` of the order's own from the local
policy. To add an order: a module with such a key, a member of `simulation.local_policy.Order`, and a
line below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simulation.event.orders.dpa import dpa
from simulation.event.orders.edf import edf
from simulation.event.orders.fcfs import fcfs
from simulation.event.orders.firm import firm
from simulation.event.orders.pf import pf
from simulation.local_policy import LocalPolicy, Order

Numbers = Callable[[LocalPolicy], tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderKey:
    """An order's key; `timed` ones depend on the time and are renewed once a second, `rising` ones only
    ever grow and are looked at again when their turn comes."""

    key: Callable[..., Any]
    timed: bool = False
    rising: bool = False
    numbers: Numbers = lambda _: (0.0, 0.0)


ORDERS: Mapping[Order, OrderKey] = {
    Order.FCFS: OrderKey(key=fcfs),
    Order.EDF: OrderKey(key=edf),
    Order.PF: OrderKey(key=pf),
    Order.FIRM: OrderKey(key=firm, rising=True, numbers=lambda p: (p.too_late_share, 0.0)),
    Order.DPA: OrderKey(key=dpa, timed=True, numbers=lambda p: (p.dpa.urgent, p.dpa.severe)),
}
