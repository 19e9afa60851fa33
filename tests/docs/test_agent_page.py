"""The role that docs/agent.md gives to an agent is one with which its driver can work."""

import json
import re
from pathlib import Path
from typing import Any

from services.agent.drivers.aws.cloud import TAG

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "agent.md").read_text("utf-8")
DRIVER = (ROOT / "services" / "agent" / "drivers" / "aws" / "cloud.py").read_text("utf-8")
(POLICY,) = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.S)]
STATEMENTS: list[dict[str, Any]] = POLICY["Statement"]


def test_the_role_may_make_every_call_of_the_driver() -> None:
    called = set(re.findall(r"self\._(?:ec2|ssm)\.(\w+)\(", DRIVER)) - {"get_paginator"}
    called |= set(re.findall(r'get_paginator\("(\w+)"\)', DRIVER))
    allowed = {action for statement in STATEMENTS for action in _actions(statement)}
    wanted = {"".join(word.title() for word in name.split("_")) for name in called}
    assert {action.partition(":")[2] for action in allowed} == wanted | {"PassRole"}


def test_only_vms_of_the_region_can_be_ended() -> None:
    (ending,) = [s for s in STATEMENTS if "ec2:TerminateInstances" in _actions(s)]
    assert list(ending["Condition"]["StringEquals"]) == [f"aws:ResourceTag/{TAG}region"]


def _actions(statement: dict[str, Any]) -> list[str]:
    action = statement["Action"]
    return [action] if isinstance(action, str) else action
