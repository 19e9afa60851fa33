"""Adds the common options to commands: `--json` as an Output, and a connection from the address options."""

from __future__ import annotations

import errno
import functools
import inspect
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperGroup

from heliostat.errors import Exhausted, HeliostatError
from services.cli import exits
from services.cli.client import Client
from services.cli.connection import LOCAL_VARIABLES, VARIABLES, Connection
from services.cli.environment import check_environment
from services.cli.output import Output, stderr

Json = Annotated[bool, typer.Option("--json", help="Machine-readable answer on stdout.")]
PANEL = "Connection"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def _connecting(option: str, variable: str, words: str) -> Any:
    """One of the options that say where the control plane is and who calls."""
    return typer.Option(option, envvar=variable or None, help=words, rich_help_panel=PANEL)


def _options(address: Any, default: str, variables: str) -> dict[str, tuple[Any, object]]:
    """The options of one kind of connection, with the variables that begin so, and their defaults."""

    def file(option: str, words: str) -> Any:
        variable = variables + option.strip("-").upper().replace("-", "_")
        return Annotated[Path | None, _connecting(option, variable, words)]

    insecure = _connecting(
        "--insecure", "", "Allow plain text beyond loopback; only on a trusted network."
    )
    return {
        "address": (Annotated[str, address], default),
        "tls_ca": (file("--tls-ca", "The CA of its certificate (PEM)."), None),
        "tls_cert": (file("--tls-cert", "Own certificate (PEM)."), None),
        "tls_key": (file("--tls-key", "Its key (PEM)."), None),
        "insecure": (Annotated[bool, insecure], False),
    }


DEFAULT_ADDRESS = "127.0.0.1:7443"
DEFAULT_LOCAL_ADDRESS = "127.0.0.1:7444"

_CONNECTION = _options(
    _connecting("--address", f"{VARIABLES}ADDRESS", "Control plane, host:port."),
    DEFAULT_ADDRESS,
    VARIABLES,
)
_TO_AGENT = _options(
    _connecting("--agent", f"{LOCAL_VARIABLES}ADDRESS", "The agent's local API, host:port."),
    DEFAULT_LOCAL_ADDRESS,
    LOCAL_VARIABLES,
)
_TALKS_TO = {"client": _CONNECTION, "agent": _TO_AGENT}


def wired(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameters are filled from options that it need not repeat: `out`, and a Client
    called `client` (of a control plane) or `agent` (of an agent's local API)."""
    hints = get_type_hints(command, include_extras=True)
    asked = inspect.signature(command).parameters
    parameters = [
        parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in asked.items()
        if name not in ("out", *_TALKS_TO)
    ]
    other = next((name for name in _TALKS_TO if name in asked), None)
    options = {} if other is None else _TALKS_TO[other]
    parameters += [_option(name, kind, default) for name, (kind, default) in options.items()]
    if "out" in asked:
        parameters.append(_option("as_json", Json, False))

    @functools.wraps(command)
    def run(**given: Any) -> None:
        check_environment(os.environ)
        if "out" in asked:
            given["out"] = Output(as_json=given.pop("as_json"))
        if other is None:
            command(**given)
            return
        chosen = {name: given.pop(name) for name in _CONNECTION}
        connection = Connection(**chosen, of_agent=other == "agent")
        with Client(connection) as client:
            command(**{other: client}, **given)

    run.__doc__ = _flowing(command.__doc__ or "")
    run.__dict__["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _flowing(text: str) -> str:
    """Help whose paragraphs break where the terminal ends, not where our lines do."""
    return "\n\n".join(" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n"))


def _option(name: str, kind: Any, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


class HeliostatGroup(TyperGroup):
    """The root group: an error becomes one readable sentence and an exit code, never a traceback.

    HELIOSTAT_DEBUG=1 shows the traceback as well.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run what was asked for."""
        try:
            return super().invoke(ctx)
        except HeliostatError as error:
            raise _ended(str(error), exits.exit_code(error)) from error
        except BrokenPipeError as error:
            raise typer.Exit(exits.OK) from error
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise _ours(error) from error
            full = Exhausted(f"cannot write: {error.strerror}", remedy="free disk space and retry")
            raise _ended(str(full), exits.exit_code(full)) from error
        except KeyboardInterrupt as error:
            raise _ended("interrupted", exits.INTERRUPTED) from error
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:  # a bug: shown as one sentence here
            if type(error).__module__.startswith("typer."):
                _plainly(error)
                raise  # wrong use: typer shows it with the usage line
            raise _ours(error) from error


def _plainly(error: Exception) -> None:
    """Leave out what the library behind typer puts before a complaint."""
    message = getattr(error, "message", None)
    if isinstance(message, str):
        error.__dict__["message"] = message.replace("Value error, ", "")


def _ours(error: Exception) -> typer.Exit:
    name = type(error).__name__
    sentence = f"internal error ({name}: {error}); HELIOSTAT_DEBUG=1 shows the traceback"
    return _ended(sentence, exits.UNEXPECTED)


def _ended(sentence: str, code: int) -> typer.Exit:
    if os.environ.get("HELIOSTAT_DEBUG"):
        stderr().print(traceback.format_exc(), markup=False)
    stderr().print(f"heliostat: {sentence}", markup=False)
    return typer.Exit(code)
