"""The bound as a linear programme: columns, rows and costs, no loops over steps.

Columns per step: replicas n and decode iterations f of each pool, requests x served on each arc, backlog
q and dropped requests d of each demand, VMs v paid beyond the reserved ones. With r requests:

    q[t] = q[t−1] + r[t] − d[t] − Σ x[t]      0 ≤ q[t] ≤ what arrived within the slack before t's end
    Σ x·seconds + d0·f ≤ n·Δ                  a replica's time
    Σ x·of_batch, Σ x·of_memory, Σ x·of_gap ≤ f    what an iteration can carry (`goodput`)
    Σ n ≤ quota,  floor ≤ n ≤ most,  Σ d ≤ (1 − attainment) · Σ r,  v ≥ Σ n − reserved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.model.instants import Span
from heliostat.model.names import RegionName
from planning.milp.columns import Block
from planning.milp.rows import Rows
from simulation.bounds.costs import Arcs, Bools, arcs_of, slack_seconds
from simulation.bounds.work import Work
from simulation.columns import Floats

_HOUR_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the policies do that are to be bounded.

    `attainment` is the share of the requests within reach that keep their promise. `finish_batch`:
    they serve all batch work before the end, also what could wait beyond it. `floors_lifted`: where
    and when pools may stand below their minimum since a region was lost, and a step longer, in which
    what was lost is ordered anew.
    """

    attainment: float = 0.99
    finish_batch: bool = False
    floors_lifted: tuple[tuple[RegionName, Span], ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.attainment <= 1:
            raise InvalidInput("attainment", f"{self.attainment} is not within [0, 1]")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoundProgramme:
    """A `planning.highs.SparseProgramme` of two costs: `gpu_hours`, which is `cost`, and `dollars`."""

    n: Block
    d: Block
    q: Block
    matrix: sparse.csc_matrix
    row_lower: Floats
    row_upper: Floats
    lower: Floats
    upper: Floats
    cost: Floats
    dollars: Floats
    constant: float
    reserved_dollars: float
    """Of the reserved VMs, whatever is decided."""
    requests: float
    out_of_reach: float
    """Requests that no VM type could serve within their promise; they are nobody's to serve."""


def build(catalogue: FleetCatalogue, work: Work, terms: Terms) -> BoundProgramme:
    """The programme of a run's work on a fleet."""
    arcs = arcs_of(catalogue, work)
    requests, out_of_reach = _within_reach(work, arcs)
    sizes = {
        "n": len(catalogue.pools),
        "f": len(catalogue.pools),
        "x": len(arcs.demand),
        "q": len(work.demands),
        "d": len(work.demands),
        "v": len(catalogue.prices),
    }
    blocks: dict[str, Block] = {}
    start = 0
    for name, items in sizes.items():
        blocks[name] = Block(start, items, work.steps)
        start = blocks[name].end
    rows = Rows()
    _balance(rows, blocks, requests, arcs)
    _capacity(rows, blocks, catalogue, work, arcs)
    _sites(rows, blocks, catalogue)
    _attained(rows, blocks, requests, terms)
    matrix = sparse.coo_matrix(
        (np.concatenate(rows.value), (np.concatenate(rows.row), np.concatenate(rows.column))),
        shape=(rows.count, start),
    ).tocsc()
    lower, upper = _limits(blocks, start, catalogue, work, requests, arcs, terms)
    gpu_hours, dollars, reserved = _costs(blocks, start, catalogue, work)
    return BoundProgramme(
        n=blocks["n"],
        d=blocks["d"],
        q=blocks["q"],
        matrix=matrix,
        row_lower=np.concatenate(rows.lower),
        row_upper=np.concatenate(rows.upper),
        lower=lower,
        upper=upper,
        cost=gpu_hours,
        constant=0.0,
        dollars=dollars,
        reserved_dollars=reserved,
        requests=float(requests.sum()),
        out_of_reach=out_of_reach + work.out_of_reach,
    )


def _within_reach(work: Work, arcs: Arcs) -> tuple[Floats, float]:
    """The requests that some pool could serve within their promise, and how many could nowhere."""
    able: Bools = np.zeros_like(work.requests, dtype=np.bool_)
    np.logical_or.at(able, arcs.demand, arcs.able)
    return np.where(able, work.requests, 0.0), float(work.requests[~able].sum())


def _balance(rows: Rows, blocks: dict[str, Block], requests: Floats, arcs: Arcs) -> None:
    numbers = rows.open("balance", requests, requests)
    rows.put(numbers, blocks["q"].index, 1.0)
    rows.put(numbers[:, 1:], blocks["q"].index[:, :-1], -1.0)
    rows.put(numbers, blocks["d"].index, 1.0)
    rows.put(numbers[arcs.demand], blocks["x"].index, 1.0)


def _capacity(
    rows: Rows, blocks: dict[str, Block], catalogue: FleetCatalogue, work: Work, arcs: Arcs
) -> None:
    zero = np.zeros((len(catalogue.pools), work.steps))
    below = np.full_like(zero, -np.inf)
    base = np.array(
        [catalogue.law(p.key.model, p.key.vm_type).decode_base for p in catalogue.pools]
    )
    x, f = blocks["x"].index, blocks["f"].index
    time = rows.open("time", below, zero)
    rows.put(time[arcs.pool], x, arcs.seconds)
    rows.put(time, f, base[:, None])
    rows.put(time, blocks["n"].index, -work.step.total_seconds())
    for kind, carried in (
        ("batch", arcs.of_batch),
        ("memory", arcs.of_memory),
        ("gap", arcs.of_gap),
    ):
        numbers = rows.open(kind, below, zero)
        rows.put(numbers[arcs.pool], x, carried)
        rows.put(numbers, f, -1.0)


def _sites(rows: Rows, blocks: dict[str, Block], catalogue: FleetCatalogue) -> None:
    """Quotas, and what is paid beyond the reserved VMs."""
    sites = list(catalogue.prices)
    place = {site: number for number, site in enumerate(sites)}
    at = np.array([place[p.key.region, p.key.vm_type] for p in catalogue.pools], dtype=np.int64)
    shape = (len(sites), blocks["n"].steps)
    quotas = np.array([float(catalogue.quotas[site]) for site in sites])
    reserved = np.array([float(catalogue.prices[site].reserved_vms) for site in sites])
    for kind, limit, paid in (("quota", quotas, 0.0), ("paid", reserved, -1.0)):
        upper = np.broadcast_to(limit[:, None], shape)
        numbers = rows.open(kind, np.full(shape, -np.inf), upper)
        rows.put(numbers[at], blocks["n"].index, 1.0)
        if paid:
            rows.put(numbers, blocks["v"].index, paid)


def _attained(rows: Rows, blocks: dict[str, Block], requests: Floats, terms: Terms) -> None:
    allowed = np.array([(1 - terms.attainment) * requests.sum()])
    number = rows.open("dropped", np.full(1, -np.inf), allowed)
    rows.put(number[:, None], blocks["d"].index, 1.0)


def _limits(
    blocks: dict[str, Block],
    count: int,
    catalogue: FleetCatalogue,
    work: Work,
    requests: Floats,
    arcs: Arcs,
    terms: Terms,
) -> tuple[Floats, Floats]:
    lower, upper = np.zeros(count), np.full(count, np.inf)
    pools = catalogue.pools
    upper[blocks["n"].index] = np.array([float(p.max_replicas) for p in pools])[:, None]
    lower[blocks["n"].index] = np.array([float(p.min_replicas) for p in pools])[:, None]
    begins = [work.span.start + work.step * number for number in range(work.steps)]
    for region, span in terms.floors_lifted:
        there = np.array([pool.key.region == region for pool in pools])
        then = np.array(
            [at < span.end + work.step and at + work.step > span.start for at in begins]
        )
        lower[blocks["n"].index[np.outer(there, then)]] = 0.0
    upper[blocks["x"].index[~arcs.able]] = 0.0
    upper[blocks["d"].index] = requests
    for c, key in enumerate(work.demands):
        tier = catalogue.model(key.model).tier(key.tier)
        slack = 0.0 if tier is None else slack_seconds(work, c, tier) / work.step.total_seconds()
        upper[blocks["q"].index[c]] = _arrived_within(requests[c], slack)
        if terms.finish_batch and tier is not None and tier.slo.deadline is not None:
            upper[blocks["q"].index[c, -1]] = 0.0
    return lower, upper


def _arrived_within(requests: Floats, slack_steps: float) -> Floats:
    """Requests of the last so many steps before each step's end, spread evenly over their step."""
    total = np.concatenate([[0.0], np.cumsum(requests)])
    ends = np.arange(1, len(requests) + 1, dtype=np.float64)
    before = np.interp(np.maximum(0.0, ends - slack_steps), np.arange(len(total)), total)
    arrived: Floats = total[1:] - before
    return arrived


def _costs(
    blocks: dict[str, Block], count: int, catalogue: FleetCatalogue, work: Work
) -> tuple[Floats, Floats, float]:
    hours = work.step.total_seconds() / _HOUR_SECONDS
    gpu_hours, dollars = np.zeros(count), np.zeros(count)
    gpus = np.array([catalogue.vm_type(p.key.vm_type).gpus for p in catalogue.pools])
    gpu_hours[blocks["n"].index] = hours * gpus[:, None]
    prices = list(catalogue.prices.values())
    dollars[blocks["v"].index] = hours * np.array([price.on_demand for price in prices])[:, None]
    reserved = sum(
        price.reserved_vms * (price.on_demand if price.reserved is None else price.reserved)
        for price in prices
    )
    return gpu_hours, dollars, hours * work.steps * reserved
