"""Questions about plans: why a pool has its target, and what would be in a supposed world."""

from __future__ import annotations

from heliostat.catalogue import FleetCatalogue
from heliostat.model.names import RegionName, VmTypeName
from heliostat.model.plan import Alternative, Explanation, WhatIf
from heliostat.v1 import plan_pb2
from services.translation.fields import finite, required
from services.translation.names import known_pool, known_region, named_at, pool_to_wire
from services.translation.plans import target_from_wire, target_to_wire


def explanation_to_wire(explanation: Explanation) -> plan_pb2.ExplainPlanResponse:
    """The explanation."""
    return plan_pb2.ExplainPlanResponse(
        target=target_to_wire(explanation.target),
        alternatives=[
            plan_pb2.Alternative(
                summary=other.summary, extra_dollars_per_hour=other.extra_dollars_per_hour
            )
            for other in explanation.alternatives
        ],
        marginal_values=[
            plan_pb2.MarginalValue(row=row, dollars_per_hour=dollars)
            for row, dollars in explanation.marginal_values
        ],
    )


def explanation_from_wire(response: plan_pb2.ExplainPlanResponse) -> Explanation:
    """The explanation. Raises InvalidInput."""
    return Explanation(
        target=target_from_wire(required("", response, "target"), response.target),
        alternatives=tuple(
            Alternative(
                summary=other.summary,
                extra_dollars_per_hour=other.extra_dollars_per_hour
                if other.HasField("extra_dollars_per_hour")
                else None,
            )
            for other in response.alternatives
        ),
        marginal_values=tuple(
            (value.row, value.dollars_per_hour) for value in response.marginal_values
        ),
    )


def what_if_to_wire(what_if: WhatIf) -> plan_pb2.WhatIf:
    """The supposed change."""
    return plan_pb2.WhatIf(
        demand_factor=what_if.demand_factor,
        lost_region=what_if.lost_region or "",
        quotas=[
            plan_pb2.SupposedQuota(region=region, vm_type=vm_type, quota_vms=quota)
            for region, vm_type, quota in what_if.quotas
        ],
        targets=[
            plan_pb2.SupposedTarget(pool=pool_to_wire(pool), target_replicas=target)
            for pool, target in what_if.targets
        ],
    )


def what_if_from_wire(path: str, what_if: plan_pb2.WhatIf, catalogue: FleetCatalogue) -> WhatIf:
    """The supposed change. Raises InvalidInput or an Unknown… error."""
    lost = what_if.lost_region
    factor = what_if.demand_factor if what_if.HasField("demand_factor") else 1.0
    return WhatIf(
        demand_factor=finite(f"{path}.demand_factor", factor),
        lost_region=known_region(f"{path}.lost_region", lost, catalogue) if lost else None,
        quotas=tuple(
            _quota_from_wire(f"{path}.quotas[{i}]", quota, catalogue)
            for i, quota in enumerate(what_if.quotas)
        ),
        targets=tuple(
            (
                known_pool(f"{path}.targets[{i}].pool", target.pool, catalogue),
                _present(f"{path}.targets[{i}]", target),
            )
            for i, target in enumerate(what_if.targets)
        ),
    )


def _quota_from_wire(
    path: str, quota: plan_pb2.SupposedQuota, catalogue: FleetCatalogue
) -> tuple[RegionName, VmTypeName, int]:
    required(path, quota, "quota_vms")
    with named_at(f"{path}.vm_type"):
        vm_type = catalogue.vm_type(quota.vm_type).name
    return known_region(f"{path}.region", quota.region, catalogue), vm_type, quota.quota_vms


def _present(path: str, target: plan_pb2.SupposedTarget) -> int:
    required(path, target, "target_replicas")
    return target.target_replicas
