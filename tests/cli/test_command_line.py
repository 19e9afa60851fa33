"""The command line answers readably, ends with documented codes and says everything else on stderr."""

from __future__ import annotations

import errno
import inspect
import os
import subprocess
import sys
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from heliostat import errors
from heliostat.errors import HeliostatError, InvalidInput
from services.cli import exits
from services.cli.main import app, main
from services.cli.wiring import HeliostatGroup
from tests.cli.running import commands, heliostat

GROUPS = (
    "agent",
    "audit",
    "certs",
    "db",
    "fleet",
    "forecast",
    "mode",
    "plan",
    "route",
    "trace",
    "usage",
)


WANTED = {
    "demo",
    "serve",
    "agent",
    "audit list",
    "db upgrade",
    "db check",
    "db downgrade",
    "usage query",
    "forecast get",
    "forecast accuracy",
    "forecast backtest",
    "plan get",
    "plan explain",
    "plan solve",
    "plan propose",
    "plan approve",
    "route get",
    "route watch",
    "fleet get",
    "fleet scale",
    "fleet redeploy",
    "fleet overrides",
    "fleet commands",
    "fleet cancel",
    "mode get",
    "mode set",
    "trace build",
    "trace describe",
    "trace convert",
    "trace synthesize",
    "certs make",
    "simulate",
    "backtest",
}


def test_every_promised_command_is_there() -> None:
    assert {" ".join(path) for path in commands()} >= WANTED


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_explains_itself_within_80_columns(path: tuple[str, ...]) -> None:
    ran = heliostat(*path, "--help")
    assert ran.code == 0
    assert "Usage: heliostat" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


@pytest.mark.parametrize("path", sorted(WANTED - {"demo", "serve", "agent", "plan solve"}))
def test_every_command_has_a_machine_readable_answer(path: str) -> None:
    assert "--json" in heliostat(*path.split(), "--help").out


def test_help_tells_every_exit_code() -> None:
    words = " ".join(heliostat("--help").out.split())
    for rule in exits.RULES:
        assert f"{rule.code} " in words
    assert "130 interrupted" in words


def families() -> list[type[HeliostatError]]:
    return HeliostatError.__subclasses__()


@pytest.mark.parametrize("family", families(), ids=lambda family: family.__name__)
def test_every_family_of_errors_has_an_exit_code_of_its_own(family: type[HeliostatError]) -> None:
    error = family.__new__(family)
    HeliostatError.__init__(error, "wrong")
    assert exits.exit_code(error) not in (exits.OK, exits.UNEXPECTED, exits.USAGE)


def test_families_differ_in_their_exit_codes() -> None:
    codes = [rule.code for rule in exits.RULES if rule.error in families()]
    assert len(codes) == len(set(codes)) == len(families())


def test_a_wrong_setting_is_told_from_wrong_input() -> None:
    assert exits.exit_code(errors.InvalidSettings("k", "m")) == 78
    assert exits.exit_code(InvalidInput("k", "m")) == 65


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("fleet", "scale"),
        ("mode", "set", "fast", "--reason", "x"),
        ("plan", "get", "x"),
    ],
)
def test_wrong_use_ends_with_two_and_shows_the_usage(arguments: tuple[str, ...]) -> None:
    ran = heliostat(*arguments)
    assert ran.code == exits.USAGE
    assert ran.out == ""
    assert "Usage: heliostat" in ran.err


def failing(error: BaseException) -> typer.Typer:
    broken = typer.Typer(cls=HeliostatGroup, pretty_exceptions_enable=False)

    @broken.command()
    def fail() -> None:
        raise error

    @broken.callback()
    def _root() -> None: ...

    return broken


def run_failing(error: BaseException, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        failing(error)(["fail"])
    captured = capsys.readouterr()
    code = end.value.code
    assert isinstance(code, int)
    return code, captured.out, captured.err


def test_a_full_disk_is_a_limit_and_no_fault_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run_failing(OSError(errno.ENOSPC, "No space left on device"), capsys)
    assert code == exits.exit_code(errors.Exhausted(""))
    assert "cannot write: No space left on device; free disk space" in err


def test_a_fault_of_ours_is_one_sentence_and_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HELIOSTAT_DEBUG", raising=False)
    code, out, err = run_failing(ZeroDivisionError("oh"), capsys)
    assert (code, out) == (exits.UNEXPECTED, "")
    assert "ZeroDivisionError: oh" in err
    assert "Traceback" not in err


def test_debugging_shows_the_traceback_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELIOSTAT_DEBUG", "1")
    _, _, err = run_failing(ZeroDivisionError("oh"), capsys)
    assert "Traceback" in err


def test_a_typed_error_is_its_sentence_with_the_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run_failing(errors.UnknownRegion("moon", remedy="regions are east"), capsys)
    assert code == 66
    assert err.strip() == "heliostat: unknown region 'moon'; regions are east"


def test_square_brackets_in_a_message_are_shown_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, _, err = run_failing(InvalidInput("f", "must lie within [0, 1] or [bold]"), capsys)
    assert "[0, 1] or [bold]" in err


def test_interruption_has_the_shells_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_failing(KeyboardInterrupt(), capsys)[0] == exits.INTERRUPTED


def test_a_closed_pipe_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_failing(BrokenPipeError(), capsys)[0] == exits.OK


def test_the_entry_point_gives_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("heliostat ")
    assert main(["nonsense"]) == exits.USAGE


def test_plain_text_beyond_this_machine_is_refused_before_anything_is_sent() -> None:
    ran = heliostat("mode", "get", "--address", "10.255.255.1:1")
    assert ran.code == 78
    assert "plain text" in ran.err
    assert "--insecure" in ran.err


def test_half_given_certificates_are_refused(tmp_path: Any) -> None:
    pem = tmp_path / "c.pem"
    pem.write_text("x")
    ran = heliostat("mode", "get", "--tls-cert", pem)
    assert ran.code == 78
    assert "--tls-key" in ran.err


def test_an_unreadable_certificate_is_named(tmp_path: Any) -> None:
    ran = heliostat("mode", "get", "--tls-ca", tmp_path / "none.pem")
    assert ran.code == 78
    assert "none.pem" in ran.err.replace("\n", "")


def test_a_file_that_is_no_certificate_is_named_with_its_option(tmp_path: Any) -> None:
    pem = tmp_path / "ca.pem"
    pem.write_text("garbage")
    ran = heliostat("mode", "get", "--address", "10.255.255.1:7443", "--tls-ca", pem)
    assert ran.code == 78
    assert ran.err.replace("\n", "").startswith("heliostat: --tls-ca (HELIOSTAT_TLS_CA): ")
    assert "ca.pem contains no PEM certificate" in ran.err.replace("\n", "")


@pytest.mark.parametrize(
    "address", ["nonsense", "host:99999", "host:0", "https://host:7443", "host", "::1:7443"]
)
def test_an_address_that_is_none_is_blamed_on_its_own_option(address: str) -> None:
    ran = heliostat("mode", "get", "--address", address, "--insecure")
    assert ran.code == 78
    assert ran.err.startswith("heliostat: --address (HELIOSTAT_ADDRESS): ")
    assert "tls" not in ran.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion_knows_the_commands(shell: str) -> None:
    environment = {
        **os.environ,
        "_HELIOSTAT_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "heliostat fl",
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_ARGS": "heliostat fl",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    ran = subprocess.run(
        [sys.executable, "-c", "import sys; from services.cli.main import main; sys.exit(main())"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "fleet" in ran.stdout


def test_help_imports_nothing_heavy() -> None:
    """Help must stay quick: no gRPC, no tables, no solver, no database for it."""
    heavy = ("grpc", "polars", "numpy", "sqlalchemy", "highspy", "pydantic", "statsmodels", "yaml")
    script = (
        "import sys; from services.cli.main import main; main(['--help']); "
        f"sys.stderr.write(','.join(sorted(set({heavy!r}) & set(sys.modules))))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stderr == ""


@given(st.text(max_size=20))
def test_whatever_is_typed_as_a_time_is_parsed_or_refused(text: str) -> None:
    from datetime import timedelta

    from services.cli.times import parse_instant, parse_length
    from tests.builders import NOON

    for parse in (lambda: parse_length("f", text), lambda: parse_instant("f", text, NOON)):
        try:
            found = parse()
        except InvalidInput:
            continue
        if isinstance(found, timedelta):
            assert found >= timedelta(0)
        else:
            assert found.utcoffset() == timedelta(0)
            assert found.microsecond == 0


def test_commands_are_written_with_annotations_that_typer_can_read() -> None:
    for command in (info.callback for info in app.registered_commands):
        assert command is not None
        assert inspect.signature(command).parameters


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("fleet", "scale", "a/b/c", str(2**32), "--reason", "x"), 2),
        (("fleet", "scale", "a/b/c", "9" * 5000, "--reason", "x"), 2),
        (("fleet", "redeploy", f"a/b/c={2**32}", "a/d/c=1", "--reason", "x"), 65),
        (("fleet", "redeploy", "a/b/c=" + "9" * 5000, "a/d/c=1", "--reason", "x"), 65),
        (("plan", "get", str(2**64)), 2),
        (("plan", "approve", str(2**64)), 2),
        (("plan", "get", "-1"), 2),
    ],
)
def test_a_number_that_the_wire_cannot_carry_is_wrong_use(
    arguments: tuple[str, ...], code: int
) -> None:
    ran = heliostat(*arguments)
    assert ran.code == code
    assert "internal error" not in ran.err
