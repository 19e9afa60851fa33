"""Lists scenarios, policies, forecasters and routers, and describes single policies."""

from __future__ import annotations

from collections.abc import Iterable

from services.cli.output import Output
from simulation.experiments.policy_file import policies_asked
from simulation.policies.forecasters import forecaster_names
from simulation.policies.policy import PolicyPlugin
from simulation.policies.registry import PLUGINS, plugin_named
from simulation.policies.routers import ROUTERS
from simulation.scenarios.builtin import built_in_descriptions


def show_shelves(out: Output, policies: Iterable[str]) -> None:
    """What there is; with policies, what these are and what headroom means for each.

    Raises UnknownPolicy, and InvalidInput for a policy file.
    """
    asked = policies_asked(policies)
    for one in asked:
        _show(out, plugin_named(one.policy))
    if asked:
        return
    scenarios = list(built_in_descriptions().items())
    out.table("Scenarios (or a scenario file)", ["name!", "what"], scenarios, empty="")
    out.table(
        "Policies (or a policy file that modifies one); --list --policy NAME shows details",
        ["name!", "what"],
        [(one.name, one.summary) for one in PLUGINS.values()],
        empty="",
    )
    out.say(f"Forecasters: {', '.join(forecaster_names())}.")
    out.say(f"Routers: {', '.join(ROUTERS)}.")


def _show(out: Output, one: PolicyPlugin) -> None:
    tried = ", ".join(f"{headroom:g}" for headroom in one.sweep)
    least = f"; {one.least_headroom:g} at least" if one.least_headroom else ""
    out.facts(
        {
            "policy": one.name,
            "what": one.summary,
            "headroom h": one.headroom,
            "sweep": f"{tried}{least}",
            "default": f"{one.default_headroom:g}",
            "fluid omits": one.fluid or "–",
        }
    )
    out.say("")
