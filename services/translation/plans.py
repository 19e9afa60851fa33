"""Capacity plans, whole and in summary."""

from __future__ import annotations

from heliostat.model.names import RegionName, VmTypeName
from heliostat.model.plan import (
    CapacityPlan,
    Flow,
    PoolTarget,
    Reason,
    Redeployment,
    Shortage,
    SolveReport,
)
from heliostat.v1 import plan_pb2
from services.translation.enums import PLAN_ORIGIN, PLAN_STATUS
from services.translation.fields import (
    count,
    finite,
    instant_from_wire,
    instant_to_wire,
    length_from_wire,
    length_to_wire,
    required,
    required_text,
)
from services.translation.names import (
    demand_from_wire,
    demand_to_wire,
    pool_from_wire,
    pool_to_wire,
)


def plan_to_wire(plan: CapacityPlan) -> plan_pb2.CapacityPlan:
    """The plan, whole."""
    return plan_pb2.CapacityPlan(
        version=plan.version,
        created_at=instant_to_wire(plan.created_at),
        policy=plan.policy,
        status=PLAN_STATUS.to_wire(plan.status),
        origin=PLAN_ORIGIN.to_wire(plan.origin),
        first_step=instant_to_wire(plan.first_step),
        step=length_to_wire(plan.step),
        targets=[target_to_wire(target) for target in plan.targets],
        flows=[_flow_to_wire(flow) for flow in plan.flows],
        redeployments=[
            plan_pb2.Redeployment(
                source=pool_to_wire(move.source),
                destination=pool_to_wire(move.destination),
                replicas=move.replicas,
            )
            for move in plan.redeployments
        ],
        shortages=[
            plan_pb2.Shortage(
                demand=demand_to_wire(shortage.demand),
                requests_per_second=shortage.requests_per_second,
                reason=shortage.reason,
            )
            for shortage in plan.shortages
        ],
        solve=_solve_to_wire(plan.solve),
        notes=plan.notes,
    )


def plan_from_wire(path: str, plan: plan_pb2.CapacityPlan) -> CapacityPlan:
    """The plan. Raises InvalidInput."""
    return CapacityPlan(
        version=count(f"{path}.version", plan.version),
        created_at=instant_from_wire(required(path, plan, "created_at"), plan.created_at),
        policy=required_text(f"{path}.policy", plan.policy),
        status=PLAN_STATUS.from_wire(f"{path}.status", plan.status),
        origin=PLAN_ORIGIN.from_wire(f"{path}.origin", plan.origin),
        first_step=instant_from_wire(required(path, plan, "first_step"), plan.first_step),
        step=length_from_wire(required(path, plan, "step"), plan.step),
        targets=tuple(
            target_from_wire(f"{path}.targets[{i}]", target)
            for i, target in enumerate(plan.targets)
        ),
        flows=tuple(
            _flow_from_wire(f"{path}.flows[{i}]", flow) for i, flow in enumerate(plan.flows)
        ),
        redeployments=tuple(
            _move_from_wire(f"{path}.redeployments[{i}]", move)
            for i, move in enumerate(plan.redeployments)
        ),
        shortages=tuple(
            _shortage_from_wire(f"{path}.shortages[{i}]", shortage)
            for i, shortage in enumerate(plan.shortages)
        ),
        solve=_solve_from_wire(f"{path}.solve", plan.solve) if plan.HasField("solve") else None,
        notes=tuple(plan.notes),
    )


def summary_to_wire(plan: CapacityPlan) -> plan_pb2.PlanSummary:
    """The plan without its rows."""
    return plan_pb2.PlanSummary(
        version=plan.version,
        created_at=instant_to_wire(plan.created_at),
        policy=plan.policy,
        status=PLAN_STATUS.to_wire(plan.status),
        origin=PLAN_ORIGIN.to_wire(plan.origin),
        changed_pools=sum(target.replicas != target.current for target in plan.targets),
        total_replicas=sum(target.replicas for target in plan.targets),
        shortages=len(plan.shortages),
        solve=_solve_to_wire(plan.solve),
        notes=plan.notes,
    )


def target_to_wire(target: PoolTarget) -> plan_pb2.PoolTarget:
    """The target with its reason."""
    reason = target.reason
    return plan_pb2.PoolTarget(
        pool=pool_to_wire(target.pool),
        replicas=target.replicas,
        current_replicas=target.current,
        reason=plan_pb2.Reason(
            summary=reason.summary,
            binding=reason.binding,
            forecast=reason.forecast,
            clip=reason.clip,
            author=reason.author,
        ),
        path_replicas=target.path,
        replicas_without_override=target.without_override,
    )


def target_from_wire(path: str, target: plan_pb2.PoolTarget) -> PoolTarget:
    """The target with its reason. Raises InvalidInput."""
    reason = target.reason
    return PoolTarget(
        pool=pool_from_wire(required(path, target, "pool"), target.pool),
        replicas=count(f"{path}.replicas", target.replicas),
        current=count(f"{path}.current_replicas", target.current_replicas),
        reason=Reason(
            summary=reason.summary,
            binding=reason.binding,
            forecast=reason.forecast,
            clip=reason.clip,
            author=reason.author,
        ),
        path=tuple(target.path_replicas),
        without_override=target.replicas_without_override
        if target.HasField("replicas_without_override")
        else None,
    )


def _flow_to_wire(flow: Flow) -> plan_pb2.Flow:
    return plan_pb2.Flow(
        demand=demand_to_wire(flow.demand),
        serving_region=flow.serving,
        vm_type=flow.vm_type,
        requests_per_second=flow.requests_per_second,
    )


def _flow_from_wire(path: str, flow: plan_pb2.Flow) -> Flow:
    return Flow(
        demand=demand_from_wire(required(path, flow, "demand"), flow.demand),
        serving=RegionName(required_text(f"{path}.serving_region", flow.serving_region)),
        vm_type=VmTypeName(required_text(f"{path}.vm_type", flow.vm_type)),
        requests_per_second=finite(f"{path}.requests_per_second", flow.requests_per_second),
    )


def _move_from_wire(path: str, move: plan_pb2.Redeployment) -> Redeployment:
    return Redeployment(
        source=pool_from_wire(required(path, move, "source"), move.source),
        destination=pool_from_wire(required(path, move, "destination"), move.destination),
        replicas=count(f"{path}.replicas", move.replicas),
    )


def _shortage_from_wire(path: str, shortage: plan_pb2.Shortage) -> Shortage:
    return Shortage(
        demand=demand_from_wire(required(path, shortage, "demand"), shortage.demand),
        requests_per_second=finite(f"{path}.requests_per_second", shortage.requests_per_second),
        reason=shortage.reason,
    )


def _solve_to_wire(solve: SolveReport | None) -> plan_pb2.SolveReport | None:
    if solve is None:
        return None
    return plan_pb2.SolveReport(
        objective_dollars=solve.objective,
        lp_bound_dollars=solve.lp_bound,
        cpu_seconds=solve.cpu_seconds,
        nodes=solve.nodes,
        time_limited=solve.time_limited,
    )


def _solve_from_wire(path: str, solve: plan_pb2.SolveReport) -> SolveReport:
    objective = lp_bound = None
    if solve.HasField("objective_dollars"):
        objective = finite(f"{path}.objective_dollars", solve.objective_dollars)
    if solve.HasField("lp_bound_dollars"):
        lp_bound = finite(f"{path}.lp_bound_dollars", solve.lp_bound_dollars)
    return SolveReport(
        objective=objective,
        lp_bound=lp_bound,
        cpu_seconds=finite(f"{path}.cpu_seconds", solve.cpu_seconds),
        nodes=count(f"{path}.nodes", solve.nodes),
        time_limited=solve.time_limited,
    )
