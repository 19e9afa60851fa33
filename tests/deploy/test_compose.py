"""The compose file and the image say what the programs understand; no container engine is needed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.core import TyperGroup
from typer.testing import CliRunner

from services.agent.settings import AgentSettings, DriverKind, load_agent_settings
from services.cli.main import app
from services.control_plane.settings import ControlPlaneSettings, load_settings
from storage.catalogue_file import read_catalogue

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
CONTROL_PLANES = ("control-plane-1", "control-plane-2")
AGENTS = ("agent-eastus", "agent-westeurope", "agent-japaneast")
ONE_SHOT = {"certs", "migrate", "templates", "operator"}
IN_IMAGE = "/opt/heliostat/"
CERTS = "/etc/heliostat/certs"


def _ours() -> dict[str, list[str]]:
    """What each service of ours hands to the `heliostat` command."""
    return {
        name: [str(word) for word in service["command"]]
        for name, service in SERVICES.items()
        if "build" in service and "entrypoint" not in service
    }


def test_everybody_who_is_needed_is_there() -> None:
    assert {"postgres", "moto", *CONTROL_PLANES, *AGENTS} <= set(SERVICES)


@pytest.mark.parametrize("name", sorted(_ours()))
def test_every_command_is_one_that_the_command_line_has(name: str) -> None:
    command = typer.main.get_command(app)
    words = _ours()[name]
    while isinstance(command, TyperGroup) and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    assert command.name not in (None, "heliostat")
    command.make_context(command.name, list(words), resilient_parsing=False)


def test_every_service_that_stays_has_a_health_check() -> None:
    for name, service in SERVICES.items():
        if name not in ONE_SHOT:
            assert service["healthcheck"]["test"], name
            assert service["healthcheck"]["retries"], name


def test_the_control_planes_health_check_is_a_command_of_ours() -> None:
    for name in CONTROL_PLANES:
        _, program, *words = SERVICES[name]["healthcheck"]["test"]
        assert program == "heliostat"
        assert CliRunner().invoke(app, [*words, "--help"]).exit_code == 0


def test_who_waits_for_whom_exists_and_can_be_waited_for() -> None:
    for name, service in SERVICES.items():
        for other, wish in service.get("depends_on", {}).items():
            assert other in SERVICES, name
            if wish["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], f"{name} waits for {other}"


def test_ports_are_published_on_loopback_and_never_twice() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in published)
    outside = [port.rsplit(":", 1)[0] for port in published]
    assert len(set(outside)) == len(outside)
    assert {port.rsplit(":", 1)[1] for port in published} == {"7443", "9464", "8321"}


def test_volumes_are_declared() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in COMPOSE["volumes"]


def test_each_process_understands_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [word.replace(CERTS, str(tmp_path)) for word in _ours()["certs"]]
    assert CliRunner().invoke(app, words).exit_code == 0
    for name in CONTROL_PLANES:
        with monkeypatch.context() as patch:
            _set(patch, name, tmp_path)
            settings = load_settings()
        assert settings.tls is not None
        assert settings.name == name
        assert settings.advertised(7443) == f"{name}:7443"
        assert settings.database.startswith("postgresql+psycopg://")
        read_catalogue(settings.catalogue)
    for name in AGENTS:
        with monkeypatch.context() as patch:
            _set(patch, name, tmp_path)
            agent = load_agent_settings()
        assert agent.driver is DriverKind.AWS
        assert agent.tls is not None
        assert agent.control_planes == tuple(f"{plane}:7443" for plane in CONTROL_PLANES)
        read_catalogue(agent.catalogue).region(agent.region)


def test_moto_speaks_for_the_regions_of_the_agents() -> None:
    _, *pairs = SERVICES["templates"]["command"]
    wanted = {
        f"{environment['HELIOSTAT_AGENT_REGION']}={environment['HELIOSTAT_AGENT_AWS__REGION_NAME']}"
        for environment in (SERVICES[name]["environment"] for name in AGENTS)
    }
    assert set(pairs) == wanted
    script = SERVICES["templates"]["entrypoint"][1]
    assert (ROOT / script.removeprefix(IN_IMAGE)).is_file()


def test_the_agents_can_be_pointed_at_amazon_by_deleting_lines() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    agents = "x-agent-environment:"
    before, _, rest = text.partition(agents)
    block, _, after = rest.partition("\n\n")
    kept = "\n".join(line for line in block.splitlines() if not line.startswith("  AWS_"))
    without = yaml.safe_load(f"{before}{agents}{kept}\n\n{after}")
    for name in AGENTS:
        assert not [
            key for key in without["services"][name]["environment"] if key.startswith("AWS_")
        ]


def test_the_image_says_every_port_that_its_processes_listen_on() -> None:
    (exposed,) = re.findall(r"^EXPOSE (.+)$", (ROOT / "Dockerfile").read_text(), re.M)
    agent, plane = AgentSettings(region="eastus"), ControlPlaneSettings()
    listens = (
        *(plane.listen, plane.metrics_listen, plane.page_listen),
        *(agent.local_listen, agent.metrics_listen),
    )
    assert exposed.split() == [address.rsplit(":", 1)[1] for address in listens]


def test_moto_is_the_one_that_the_tests_use() -> None:
    (version,) = re.findall(r"^moto==(\S+)", (ROOT / "requirements.lock").read_text(), re.M)
    assert SERVICES["moto"]["image"] == f"motoserver/moto:{version}"


def test_the_image_installs_what_the_tests_ran_with_and_nothing_unhashed() -> None:
    pins = re.findall(r"^(\S+==\S+)", (ROOT / "requirements-server.lock").read_text(), re.M)
    assert len(pins) > 30
    assert set(pins) <= set(
        re.findall(r"^(\S+==\S+)", (ROOT / "requirements.lock").read_text(), re.M)
    )
    recipe = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes" in recipe
    assert "requirements-server.lock" in recipe


def test_the_image_runs_as_nobody_special() -> None:
    recipe = (ROOT / "Dockerfile").read_text()
    user = re.findall(r"^USER (\S+)", recipe, re.M)
    assert user == ["heliostat"]
    assert recipe.index("USER heliostat") < recipe.index("ENTRYPOINT")


def _set(patch: pytest.MonkeyPatch, name: str, certs: Path) -> None:
    for key, value in SERVICES[name]["environment"].items():
        local = str(value).replace(CERTS, str(certs)).replace(IN_IMAGE, f"{ROOT}/")
        patch.setenv(key, local)
