"""A HELIOSTAT_… variable that nobody reads is refused, and the nearest one is named."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from heliostat.errors import InvalidSettings
from services.cli.environment import check_environment
from services.cli.main import app
from tests.cli.running import heliostat


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("HELIOSTAT_LISEN", "HELIOSTAT_LISTEN"),
        ("HELIOSTAT_ADRESS", "HELIOSTAT_ADDRESS"),
        ("HELIOSTAT_CADENCE_REROUTE", "HELIOSTAT_CADENCE__REROUTE"),
        ("HELIOSTAT_TLS_CERTIFICATE", "HELIOSTAT_TLS__CERTIFICATE"),
        ("HELIOSTAT_AGENT_REGON", "HELIOSTAT_AGENT_REGION"),
        ("HELIOSTAT_AGENT_AWS__REGION", "HELIOSTAT_AGENT_AWS__REGION_NAME"),
        ("heliostat_databse", "HELIOSTAT_DATABASE"),
    ],
)
def test_a_mistyped_variable_is_refused_with_the_nearest_known_one(typed: str, meant: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        check_environment({typed: "x", "HELIOSTAT_DATABASE": "memory"})
    assert typed in str(caught.value)
    assert f"did you mean {meant}" in str(caught.value)


def test_a_variable_like_no_other_is_to_be_unset() -> None:
    with pytest.raises(InvalidSettings, match="unset HELIOSTAT_QQQQ"):
        check_environment({"HELIOSTAT_QQQQ": "x"})


def test_all_mistyped_variables_are_named_at_once() -> None:
    with pytest.raises(InvalidSettings, match="HELIOSTAT_LEESE, HELIOSTAT_LISEN"):
        check_environment({"HELIOSTAT_LISEN": "x", "HELIOSTAT_LEESE": "x"})


@pytest.mark.parametrize(
    "name",
    [
        "HELIOSTAT_DATA",
        "HELIOSTAT_BENCH_ROWS",
        "HELIOSTAT_CHECKED_ENGINE",
        "HELIOSTAT_SETTINGS",
        "HELIOSTAT_AGENT_SETTINGS",
        "HELIOSTAT_DEBUG",
        "HELIOSTAT_TLS_KEY",
        "HELIOSTAT_TLS",
        "HELIOSTAT_TLS__KEY",
        "heliostat_listen",
        "HELIOSTAT_AGENT_TICK",
        "HELIOSTAT_AGENT_LOCAL_TLS__CLIENT_CA",
        "HELIOSTAT_AGENT_DRIVING__CHUNK_SIZE",
        "_HELIOSTAT_COMPLETE",
        "HELIOSTATIC",
        "PATH",
    ],
)
def test_what_somebody_reads_is_let_through(name: str) -> None:
    check_environment({name: "x"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HELIOSTAT_SERVICE_HOST", "10.0.0.1"),
        ("HELIOSTAT_SERVICE_PORT_GRPC", "7443"),
        ("HELIOSTAT_PORT", "tcp://10.0.0.1:7443"),
        ("HELIOSTAT_AGENT_PORT", "tcp://10.0.0.2:7444"),
        ("HELIOSTAT_PORT_7443_TCP_ADDR", "10.0.0.1"),
        ("HELIOSTAT_PLANE_1_SERVICE_PORT", "7443"),
    ],
)
def test_what_kubernetes_says_of_a_service_of_our_name_is_let_through(
    name: str, value: str
) -> None:
    check_environment({name: value})


def test_a_port_by_itself_is_still_a_mistake() -> None:
    with pytest.raises(InvalidSettings, match="HELIOSTAT_PORT"):
        check_environment({"HELIOSTAT_PORT": "7443"})


def leaves(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its words."""
    inside = getattr(command, "commands", {})
    for name, one in inside.items():
        yield from leaves(one, (*words, name))
    if not inside or command.invoke_without_command:
        yield " ".join(words), command


@pytest.mark.parametrize(
    "command", [pytest.param(one, id=words) for words, one in leaves(typer.main.get_command(app))]
)
def test_every_command_looks_before_it_starts(
    command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELIOSTAT_LISEN", "127.0.0.1:1")
    with pytest.raises(InvalidSettings, match="HELIOSTAT_LISTEN"):
        # Past typer, with a word that nobody takes: who does not look would else begin to work.
        command.callback.__wrapped__(nothing_it_takes=None)


def test_a_refused_variable_ends_with_its_code() -> None:
    ran = heliostat("simulate", "--list", HELIOSTAT_LISEN="127.0.0.1:1")
    assert ran.code == 78
    assert "HELIOSTAT_LISTEN" in ran.err.replace("\n", "")
