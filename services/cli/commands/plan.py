"""`heliostat plan`: what was decided and why, what would be, and what an operator approves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from heliostat.errors import InvalidInput
from heliostat.model.counting import replicas_in_words
from services.cli.asking import Regions, replicas
from services.cli.client import Client
from services.cli.commands.solve import solve
from services.cli.figures import at, dollars, percent
from services.cli.orders import show_commands
from services.cli.output import Output, progress
from services.cli.wiring import wired

if TYPE_CHECKING:
    from heliostat.model.plan import CapacityPlan, PoolTarget, WhatIf

NEWEST = 2**63 - 1
"""No version is higher: the wire carries 64 bits."""


def _a_version(version: int) -> int:
    """Wrong use when it can be no plan's version; 0 = the newest."""
    if not 0 <= version <= NEWEST:
        raise typer.BadParameter(f"{version} is no plan's version")
    return version


app = typer.Typer(no_args_is_help=True, help="Capacity plans.")


@app.command()
@wired
def get(
    client: Client,
    out: Output,
    version: Annotated[
        int, typer.Argument(callback=_a_version, help="Which; the newest without it.")
    ] = 0,
    region: Regions = None,
    every: Annotated[bool, typer.Option("--all", help="Also pools that stay at zero.")] = False,
) -> None:
    """A plan: replicas per pool with the reason of each."""
    from heliostat.v1 import plan_pb2
    from services.translation.plans import plan_from_wire

    answer = client.call(client.plans.GetPlan, plan_pb2.GetPlanRequest(version=version))
    plan = plan_from_wire("plan", answer.plan)
    if out.as_json:
        out.json(plan)
        return
    _show(out, plan, set(region or ()), every)


@app.command()
@wired
def explain(
    client: Client,
    out: Output,
    pool: Annotated[str, typer.Argument(help="region/model/vm_type")],
) -> None:
    """Why a pool has its target, why not otherwise, and what is scarce."""
    from heliostat.model.names import PoolKey
    from heliostat.v1 import plan_pb2
    from services.translation.names import pool_to_wire
    from services.translation.questions import explanation_from_wire

    request = plan_pb2.ExplainPlanRequest(pool=pool_to_wire(PoolKey.parse(pool)))
    found = explanation_from_wire(client.call(client.plans.ExplainPlan, request))
    if out.as_json:
        out.json(found)
        return
    target, reason = found.target, found.target.reason
    facts = {
        "pool": str(target.pool),
        "target": f"{replicas_in_words(target.replicas)}, {target.current} now",
        "because": reason.summary,
        "decided by": reason.binding,
        "forecast": reason.forecast,
        "clipped": reason.clip,
    }
    out.facts({name: value for name, value in facts.items() if value})
    out.table(
        "Alternatives",
        ["instead", "costs more per hour>"],
        [
            [
                one.summary,
                dollars(one.extra_dollars_per_hour)
                if one.extra_dollars_per_hour is not None
                else "infeasible",
            ]
            for one in found.alternatives
        ],
        empty="There is no alternative to compare with.",
    )
    out.table(
        "What one more unit would save (duals of the linear relaxation)",
        ["of", "per hour>"],
        [[row, dollars(value)] for row, value in found.marginal_values],
        empty="Nothing is scarce.",
    )


@app.command()
@wired
def propose(
    client: Client,
    out: Output,
    demand: Annotated[float, typer.Option(help="All demand times this.")] = 1.0,
    lost: Annotated[str, typer.Option("--lost-region", help="As if this region were gone.")] = "",
    quota: Annotated[list[str] | None, typer.Option(help="region/vm_type=VMs; may repeat.")] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="region/model/vm_type=replicas; may repeat.")
    ] = None,
) -> None:
    """The plan that would be made in a supposed world; changes nothing."""
    from heliostat.v1 import plan_pb2
    from services.translation.plans import plan_from_wire
    from services.translation.questions import what_if_to_wire

    supposed = _what_if(demand, lost, quota or [], target or [])
    request = plan_pb2.ProposePlanRequest(what_if=what_if_to_wire(supposed))
    with progress("solving"):
        answer = client.call(client.plans.ProposePlan, request)
    plan = plan_from_wire("plan", answer.plan)
    if out.as_json:
        out.json(plan)
        return
    _show(out, plan, set(), every=False)


@app.command()
@wired
def approve(
    client: Client,
    out: Output,
    version: Annotated[int, typer.Argument(callback=_a_version, help="The newest plan's version.")],
) -> None:
    """Order the newest plan's targets, in advisory regions too."""
    from heliostat.v1 import plan_pb2
    from services.translation.commands import command_from_wire

    answer = client.call(client.plans.ApprovePlan, plan_pb2.ApprovePlanRequest(version=version))
    commands = [command_from_wire("command", one) for one in answer.commands]
    if out.as_json:
        out.json({"version": version, "commands": commands})
        return
    show_commands(
        out, commands, empty=f"Plan {version} orders nothing: the fleet stands as it wants."
    )


app.command()(solve)


def _what_if(demand: float, lost: str, quotas: list[str], targets: list[str]) -> WhatIf:
    from heliostat.model.names import PoolKey, RegionName, VmTypeName
    from heliostat.model.plan import WhatIf

    supposed: list[tuple[RegionName, VmTypeName, int]] = []
    for text in quotas:
        name, number = replicas("--quota", text)
        region, slash, vm_type = name.partition("/")
        if not slash:
            raise InvalidInput("--quota", f"{text!r} is not region/vm_type=VMs")
        supposed.append((RegionName(region), VmTypeName(vm_type), number))
    wanted = [replicas("--target", text) for text in targets]
    return WhatIf(
        demand_factor=demand,
        lost_region=RegionName(lost) if lost else None,
        quotas=tuple(supposed),
        targets=tuple((PoolKey.parse(name), number) for name, number in wanted),
    )


def _show(out: Output, plan: CapacityPlan, regions: set[str], every: bool) -> None:
    facts = {
        "plan": f"{plan.version or 'proposed'}, {plan.status}, {plan.origin}, by {plan.policy}",
        "made": at(plan.created_at),
    }
    if plan.solve:
        facts["solve"] = (
            f"{dollars(plan.solve.objective)}, {percent(plan.solve.gap)} above the LP bound, "
            f"{plan.solve.cpu_seconds:.2f} s CPU"
        )
    out.facts(facts)
    shown = [target for target in plan.targets if _matters(target, regions, every)]
    out.table(
        "",
        ["pool", "now>", "target>", "because"],
        [[str(one.pool), str(one.current), str(one.replicas), one.reason.summary] for one in shown],
        empty="No pool has or gets a replica (--all shows them).",
    )
    if plan.shortages:
        out.table(
            "Shortages",
            ["demand", "requests/s>", "because"],
            [
                [str(one.demand), f"{one.requests_per_second:.2f}", one.reason]
                for one in plan.shortages
            ],
            empty="",
        )
    for note in plan.notes:
        out.say(note)


def _matters(target: PoolTarget, regions: set[str], every: bool) -> bool:
    inside = not regions or target.pool.region in regions
    return inside and (every or bool(target.replicas or target.current))
