"""Every `heliostat` command that the pages show is one that the command line has, with those options."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from services.cli.main import app
from simulation.policies.registry import PLUGINS
from tests.simulation.policies.adding_a_policy import QUEUE_RULE

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
_FENCED = re.compile(r"^```(?:console)?\n(.*?)^```", re.S | re.M)
_PROMPT = re.compile(r"^\$ (?:\S*bin/)?heliostat (.*)$", re.M)


_SWITCH = re.compile(r"^\| `(--[a-z-]+)", re.M)


def _shown() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for block in _FENCED.findall(page.read_text("utf-8")):
            for line in _PROMPT.findall(block.replace("\\\n", " ")):
                for command in line.split("&& heliostat "):
                    yield str(page.relative_to(ROOT)), command.removesuffix("&& ")


SHOWN = sorted(set(_shown()))


def test_the_demos_page_names_every_switch_of_the_demo_and_no_other() -> None:
    page = (ROOT / "docs" / "demo.md").read_text("utf-8")
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    options = {
        name
        for parameter in group.commands["demo"].params
        for name in parameter.opts
        if name.startswith("--")
    }
    assert set(_SWITCH.findall(page)) == options - {"--help"}


def test_the_pages_show_commands() -> None:
    assert len(SHOWN) > 40


@pytest.mark.parametrize(("page", "shown"), SHOWN)
def test_every_command_shown_is_one_that_there_is(page: str, shown: str) -> None:
    words = shlex.split(shown, comments=True)
    command = typer.main.get_command(app)
    while isinstance(command, TyperGroup) and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    given = command.make_context(command.name, words).params
    assert not isinstance(command, TyperGroup) or command.invoke_without_command
    policies = given.get("policy") or ()
    for name in ",".join([policies] if isinstance(policies, str) else policies).split(","):
        assert name in {"", QUEUE_RULE.name, *PLUGINS} or name.endswith(".yaml"), (
            f"{page}: no policy {name}"
        )
