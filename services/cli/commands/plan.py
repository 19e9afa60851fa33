"""`heliostat plan`: plans with their reasons, what-if plans, and approval."""

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
"""The highest version: the wire format has 64 bits."""


def _a_version(version: int) -> int:
    """Usage error if it cannot be a plan version; 0 = the newest."""
    if not 0 <= version <= NEWEST:
        raise typer.BadParameter(f"{version} is not a plan version")
    return version


app = typer.Typer(no_args_is_help=True, help="Capacity plans.")


@app.command()
@wired
def get(
    client: Client,
    out: Output,
    version: Annotated[
        int, typer.Argument(callback=_a_version, help="Plan version (default: newest).")
    ] = 0,
    region: Regions = None,
    every: Annotated[bool, typer.Option("--all", help="Include pools that stay at zero.")] = False,
) -> None:
    """Show a plan: replicas per pool, each with its reason."""
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
    """Explain a pool's target: reason, alternatives, and scarce resources."""
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
        "binding limit": reason.binding,
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
        empty="No alternatives to compare with.",
    )
    out.table(
        "Savings from one more unit (duals of the linear relaxation)",
        ["of", "per hour>"],
        [[row, dollars(value)] for row, value in found.marginal_values],
        empty="No resource is scarce.",
    )


@app.command()
@wired
def propose(
    client: Client,
    out: Output,
    demand: Annotated[float, typer.Option(help="Multiply all demand by this.")] = 1.0,
    lost: Annotated[str, typer.Option("--lost-region", help="Assume this region is lost.")] = "",
    quota: Annotated[list[str] | None, typer.Option(help="region/vm_type=VMs; may repeat.")] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="region/model/vm_type=replicas; may repeat.")
    ] = None,
) -> None:
    """Compute the plan for a what-if scenario; changes nothing."""
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
    """Order the newest plan's targets once, in all active and advisory regions."""
    from heliostat.v1 import plan_pb2
    from services.translation.commands import command_from_wire

    answer = client.call(client.plans.ApprovePlan, plan_pb2.ApprovePlanRequest(version=version))
    commands = [command_from_wire("command", one) for one in answer.commands]
    if out.as_json:
        out.json({"version": version, "commands": commands})
        return
    show_commands(
        out, commands, empty=f"Plan {version} orders nothing: the fleet is already at its targets."
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
        empty="No pool has or gets replicas (--all shows all pools).",
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
