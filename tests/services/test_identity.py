"""Who somebody is, and what he may do, is decided in two small tables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from heliostat.errors import Forbidden, HeliostatError, InvalidInput, Unauthenticated
from heliostat.model.names import RegionName
from services.control_plane.permissions import RULES, check_role, rule_of
from services.identity import LOCAL, Identity, Role, identify

AGENT = Identity(role=Role.AGENT, region=RegionName("east"), name="agent-1")
ANN = Identity(role=Role.OPERATOR, name="ann")
PROTOS = Path(__file__).parents[2] / "proto/heliostat/v1"


@pytest.mark.parametrize("identity", [AGENT, ANN, LOCAL])
def test_an_identity_survives_its_certificate(identity: Identity) -> None:
    assert Identity.parse(identity.uri) == identity
    san = {"x509_subject_alternative_name": [b"localhost", identity.uri.encode()]}
    assert identify(san, insecure=None) == identity


@pytest.mark.parametrize(
    "uri",
    [
        "spiffe://elsewhere/operator/ann",
        "https://heliostat/operator/ann",
        "spiffe://heliostat/king/ann",
        "spiffe://heliostat/operator",
        "spiffe://heliostat/operator/east/ann",
        "spiffe://heliostat/agent/agent-1",
        "spiffe://heliostat/agent//agent-1",
        "spiffe://heliostat/",
    ],
)
def test_other_uris_are_nobody(uri: str) -> None:
    with pytest.raises(Unauthenticated):
        Identity.parse(uri)


def test_without_tls_comes_only_who_may() -> None:
    assert identify({}, insecure=LOCAL) == LOCAL
    with pytest.raises(Unauthenticated):
        identify({}, insecure=None)


def test_a_certificate_without_our_name_is_nobody_even_where_plain_text_is_allowed() -> None:
    with pytest.raises(Unauthenticated):
        identify({"x509_subject_alternative_name": [b"localhost"]}, insecure=LOCAL)


def test_a_regional_role_has_a_region_and_no_other_has() -> None:
    with pytest.raises(InvalidInput):
        Identity(role=Role.AGENT, name="a")
    with pytest.raises(InvalidInput):
        Identity(role=Role.ADMIN, name="a", region=RegionName("east"))


def test_an_agent_speaks_for_its_own_region_only() -> None:
    AGENT.speak_for("east")
    AGENT.speak_as("east/agent-1")
    ANN.speak_for("west")
    with pytest.raises(Forbidden):
        AGENT.speak_for("west")
    with pytest.raises(Forbidden):
        AGENT.speak_as("west/agent-1")


MATRIX = {
    "ReportUsage": "agent gateway automation operator admin",
    "WatchRoutes": "agent gateway automation operator admin",
    "GetFleet": "agent gateway automation operator admin",
    "ScalePool": "automation operator admin",
    "CancelCommand": "automation operator admin",
    "CancelOverride": "automation operator admin",
    "ProposePlan": "automation operator admin",
    "WatchCommands": "agent admin",
    "AcknowledgeCommand": "agent admin",
    "ReportFleet": "agent admin",
    "ApprovePlan": "operator admin",
    "SetMode": "operator admin",
    "ListAudit": "operator admin",
}


@pytest.mark.parametrize("name", MATRIX)
@pytest.mark.parametrize("role", Role)
def test_a_role_may_call_what_the_table_says(name: str, role: Role) -> None:
    method = next(method for method in RULES if method.endswith(f"/{name}"))
    region = RegionName("east") if role.regional else None
    identity = Identity(role=role, name="x", region=region)
    allowed = True
    try:
        check_role(method, RULES[method], identity)
    except HeliostatError:
        allowed = False
    assert allowed == (role in MATRIX[name].split())


def test_every_method_of_the_contract_has_a_rule_and_no_other() -> None:
    methods = set()
    agents_own = "DispatchService"  # control planes do not serve it
    for path in PROTOS.glob("*.proto"):
        text = path.read_text()
        for service, body in re.findall(r"^service (\w+) {(.*?)^}", text, re.S | re.M):
            if service != agents_own:
                rpcs = re.findall(r"rpc (\w+)", body)
                methods |= {f"/heliostat.v1.{service}/{rpc}" for rpc in rpcs}
    assert methods == set(RULES)
    assert rule_of("/grpc.health.v1.Health/Check") is None
