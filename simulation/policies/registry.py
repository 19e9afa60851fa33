"""All policies by name. A new one is a module beside this one and a line here (docs/adding-a-policy.md)."""

from __future__ import annotations

from collections.abc import Mapping

from heliostat.catalogue import FleetCatalogue
from simulation.policies.ablations import ABLATIONS
from simulation.policies.chiron import CHIRON, CHIRON_GLOBAL, CHIRON_LOCAL
from simulation.policies.failure import UnknownPolicy
from simulation.policies.heliostat import (
    HELIOSTAT,
    HELIOSTAT_BATCH_NOW,
    HELIOSTAT_CAREFUL,
    HELIOSTAT_LEAST_WORK,
    HELIOSTAT_UNPOOLED,
)
from simulation.policies.keda import KEDA, KEDA_QUEUE
from simulation.policies.llumnix import LLUMNIX, LLUMNIX_UNTUNED
from simulation.policies.placed import PLACED
from simulation.policies.policy import Policy, PolicyOptions, PolicyPlugin
from simulation.policies.reactive import (
    REACTIVE,
    REACTIVE_70_30,
    REACTIVE_KV,
    REACTIVE_KV_70_30,
)
from simulation.policies.sageserve import LT_I, LT_U, LT_UA
from simulation.policies.siloed import SILOED

PLUGINS: Mapping[str, PolicyPlugin] = {
    plugin.name: plugin
    for plugin in (
        SILOED,
        REACTIVE,
        REACTIVE_KV,
        REACTIVE_70_30,
        REACTIVE_KV_70_30,
        KEDA,
        KEDA_QUEUE,
        LLUMNIX,
        LLUMNIX_UNTUNED,
        LT_I,
        LT_U,
        LT_UA,
        CHIRON,
        CHIRON_LOCAL,
        CHIRON_GLOBAL,
        HELIOSTAT,
        HELIOSTAT_CAREFUL,
        HELIOSTAT_UNPOOLED,
        HELIOSTAT_BATCH_NOW,
        HELIOSTAT_LEAST_WORK,
        PLACED,
        *ABLATIONS,
    )
}


def plugin_named(name: str) -> PolicyPlugin:
    """The plug-in of that name. Raises UnknownPolicy, naming those that there are."""
    plugin = PLUGINS.get(name)
    if plugin is None:
        raise UnknownPolicy(name, remedy=f"policies are {', '.join(PLUGINS)}", field="policy")
    return plugin


def policy_named(
    name: str, catalogue: FleetCatalogue, options: PolicyOptions | None = None
) -> Policy:
    """The policy of that name for a fleet. Raises UnknownPolicy and what `PolicyPlugin.policy` raises."""
    return plugin_named(name).policy(catalogue, options or PolicyOptions())
