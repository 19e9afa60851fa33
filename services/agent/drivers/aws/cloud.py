"""One AWS region as a VmCloud: launch templates, tags, client tokens, and Run Command for redeploys."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from heliostat.model.names import ModelName, PoolKey, RegionName, VmTypeName
from services.agent.drivers.aws.refusals import cloud_call
from services.agent.drivers.vm.cloud import CloudVm, Purchase, RedeployState, VmState

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_ec2.type_defs import InstanceTypeDef, TagTypeDef
    from types_boto3_ssm import SSMClient

TAG = "heliostat:"
_STATES = {"pending": VmState.PENDING, "running": VmState.RUNNING}
_IDS_PER_CALL = 100
_RUNNING = frozenset({"Pending", "InProgress", "Delayed"})
_GONE = "InvalidInstanceID.NotFound"
_NOT_THERE_YET = "InvocationDoesNotExist"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsPlace:
    """Where and as what we order."""

    region: RegionName
    """Our name of the region; the tag on every VM."""
    templates: Mapping[PoolKey, str]
    """Launch template of each pool."""
    engine_address: str
    """Where a VM's engine listens; may use {private_ip}, {instance_id} and {model}."""
    redeploy_document: str
    redeploy_command: str
    """Run on the VM as root; must end in serving that model however often it is run."""


class AwsCloud:
    """Implements VmCloud. The clients are given, with retries switched off: the loop retries."""

    def __init__(self, place: AwsPlace, *, ec2: EC2Client, ssm: SSMClient) -> None:
        self._place = place
        self._ec2 = ec2
        self._ssm = ssm

    def list_vms(self) -> tuple[CloudVm, ...]:
        mine = [{"Name": f"tag:{TAG}region", "Values": [self._place.region]}]
        with cloud_call(f"list VMs of {self._place.region}"):
            pages = self._ec2.get_paginator("describe_instances").paginate(
                Filters=mine,  # type: ignore[arg-type]  # the stub wants a TypedDict made by name
                PaginationConfig={"PageSize": 500},
            )
            return tuple(
                self._vm(instance)
                for page in pages
                for reservation in page["Reservations"]
                for instance in reservation.get("Instances", [])
            )

    def buy(self, purchase: Purchase) -> tuple[CloudVm, ...]:
        template = self._place.templates[purchase.pool]
        tags = [
            *_pool_tags(purchase.pool),
            _tag("region", purchase.pool.region),
            _tag("command", purchase.command_id),
            _tag("token", purchase.token),
        ]
        what = f"buy {purchase.count} VMs for {purchase.pool} from {template!r}"
        with cloud_call(what, buying=True):
            answer = self._ec2.run_instances(
                LaunchTemplate={"LaunchTemplateName": template},
                MinCount=1,
                MaxCount=purchase.count,
                ClientToken=purchase.token,
                TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
            )
        return tuple(self._vm(instance) for instance in answer["Instances"])

    def release(self, vm_ids: Sequence[str]) -> None:
        for first in range(0, len(vm_ids), _IDS_PER_CALL):
            self._terminate(list(vm_ids[first : first + _IDS_PER_CALL]))

    def redeploy(self, vm_id: str, pool: PoolKey, command_id: str) -> str:
        order = self._place.redeploy_command.format(
            model=shlex.quote(pool.model), vm_type=shlex.quote(pool.vm_type)
        )
        with cloud_call(f"redeploy {vm_id} to {pool}"):
            self._ec2.create_tags(
                Resources=[vm_id], Tags=[*_pool_tags(pool), _tag("command", command_id)]
            )
            answer = self._ssm.send_command(
                InstanceIds=[vm_id],
                DocumentName=self._place.redeploy_document,
                Parameters={"commands": [order]},
                Comment=f"heliostat command {command_id}"[:100],
            )
        return answer["Command"]["CommandId"]

    def redeploy_state(self, vm_id: str, operation_id: str) -> RedeployState:
        with cloud_call(f"check the redeploy of {vm_id}"):
            try:
                answer = self._ssm.get_command_invocation(CommandId=operation_id, InstanceId=vm_id)
            except ClientError as error:
                if error.response["Error"]["Code"] == _NOT_THERE_YET:
                    return RedeployState.RUNNING
                raise
        if answer["Status"] == "Success":
            return RedeployState.SUCCEEDED
        return RedeployState.RUNNING if answer["Status"] in _RUNNING else RedeployState.FAILED

    def _terminate(self, vm_ids: list[str]) -> None:
        """One call for all; when it says that some are gone (not which), one call each."""
        with cloud_call(f"release {', '.join(vm_ids)}"):
            try:
                self._ec2.terminate_instances(InstanceIds=vm_ids)
            except ClientError as error:
                if error.response["Error"]["Code"] != _GONE:
                    raise
                if len(vm_ids) > 1:
                    for vm_id in vm_ids:
                        self._terminate([vm_id])

    def _vm(self, instance: InstanceTypeDef) -> CloudVm:
        tags = {tag["Key"]: tag.get("Value", "") for tag in instance.get("Tags", [])}
        pool = self._pool_of(tags)
        ip = instance.get("PrivateIpAddress", "")
        vm_id = instance["InstanceId"]
        address = self._place.engine_address.format(
            private_ip=ip, instance_id=vm_id, model=pool.model if pool is not None else ""
        )
        return CloudVm(
            vm_id=vm_id,
            state=_STATES.get(instance["State"]["Name"], VmState.GONE),
            launched_at=instance["LaunchTime"].astimezone(UTC).replace(microsecond=0),
            pool=pool,
            address=address if ip else "",
            token=tags.get(f"{TAG}token", ""),
        )

    def _pool_of(self, tags: Mapping[str, str]) -> PoolKey | None:
        model, vm_type = tags.get(f"{TAG}model"), tags.get(f"{TAG}vm-type")
        if not model or not vm_type or "/" in model + vm_type:
            return None
        pool = PoolKey(
            region=self._place.region, model=ModelName(model), vm_type=VmTypeName(vm_type)
        )
        return pool if pool in self._place.templates else None


def aws_clients(aws_region: str, endpoint_url: str | None = None) -> tuple[EC2Client, SSMClient]:
    """Clients of one AWS region, credentials from the usual chain. One attempt per call: what is to be
    repeated is in the journal, and the loop repeats it."""
    config = Config(
        retries={"total_max_attempts": 1, "mode": "standard"}, connect_timeout=5, read_timeout=30
    )
    ec2 = boto3.client("ec2", region_name=aws_region, endpoint_url=endpoint_url, config=config)
    ssm = boto3.client("ssm", region_name=aws_region, endpoint_url=endpoint_url, config=config)
    return ec2, ssm


def _tag(name: str, value: str) -> TagTypeDef:
    return {"Key": f"{TAG}{name}", "Value": value}


def _pool_tags(pool: PoolKey) -> list[TagTypeDef]:
    return [_tag("pool", str(pool)), _tag("model", pool.model), _tag("vm-type", pool.vm_type)]
