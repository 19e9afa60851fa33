"""What people read on the command line: plain sentences, and nothing of our libraries."""

import subprocess
from pathlib import Path

import pytest

from heliostat.model.counting import replicas_in_words
from tests.cli.running import commands, heliostat

ROOT = Path(__file__).resolve().parents[2]


def test_one_replica_is_one() -> None:
    assert [replicas_in_words(n) for n in (0, 1, 2)] == ["0 replicas", "1 replica", "2 replicas"]


def test_a_device_is_no_trace() -> None:
    ran = heliostat("trace", "describe", "/dev/null")
    assert ran.code == 65
    assert "/dev/null: has no known format; it is empty" in ran.err


@pytest.mark.parametrize("host", ["", " ", "a b", "plane..example", "https://plane"])
def test_a_server_without_a_name_gets_no_certificate_and_nothing_is_written(
    tmp_path: Path, host: str
) -> None:
    ran = heliostat("certs", "make", tmp_path / "certs", "--server", host)
    assert ran.code == 65
    assert "--server" in ran.err
    assert not (tmp_path / "certs").exists()


@pytest.mark.parametrize("host", ["::1", "10.0.0.1", "plane-1.example", "*.example", "localhost"])
def test_names_and_addresses_of_servers_are_taken(tmp_path: Path, host: str) -> None:
    assert heliostat("certs", "make", tmp_path / "certs", "--server", host).code == 0


@pytest.mark.parametrize("path", [(), *commands()], ids=" ".join)
def test_help_shows_no_limit_of_the_wire(path: tuple[str, ...]) -> None:
    shown = heliostat(*path, "--help", COLUMNS="300").out
    assert "Usage: heliostat" in shown
    for bits in (31, 63):
        assert str(2**bits - 1) not in shown


def test_a_mode_that_is_none_is_refused_in_plain_words() -> None:
    ran = heliostat("mode", "set", "bogus", "--reason", "x")
    assert ran.code == 2
    assert "'bogus' is not one of" in ran.err
    assert "Value error" not in ran.err


def test_make_help_in_a_pipe_has_no_colours() -> None:
    said = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True)
    assert "List the targets" in said.stdout
    assert "\033" not in said.stdout
