"""Reads a scenario file; every complaint names the file, the line and the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from heliostat.errors import InvalidScenario
from simulation.scenarios.spec import ScenarioSpec
from storage.mapping_file import read_mapping

Place = tuple[str | int, ...]
_UNKNOWN_KEY, _MISSING = "extra_forbidden", "missing"


def read_spec(path: Path) -> ScenarioSpec:
    """The spec in a YAML file. Raises InvalidScenario, also when the file cannot be read."""
    mapping = read_mapping(path, InvalidScenario)
    try:
        return ScenarioSpec.model_validate(mapping)
    except ValidationError as error:
        raise _named(path, mapping, error) from error


def complaint(path: Path, place: Place, message: str) -> InvalidScenario:
    """The error about a place in a scenario file, by line and key; the place's end may be missing."""
    lines = _lines(path)
    line = next((lines[place[:n]] for n in range(len(place), -1, -1) if place[:n] in lines), 1)
    key = _dotted(place)
    return InvalidScenario(f"{path}:{line}" + (f": {key}" if key else ""), message)


def _named(path: Path, mapping: dict[str, Any], error: ValidationError) -> InvalidScenario:
    """The first complaint, in the words of the file; the others are counted."""
    # A key that nobody knows is often the misspelling of one that is missing: it is told first.
    found = sorted(error.errors(include_url=False), key=lambda one: one["type"] != _UNKNOWN_KEY)
    first = found[0]
    message = _words(first["type"], first["msg"])
    if len(found) > 1:
        message += f" ({len(found) - 1} more)"
    return complaint(path, _in_file(mapping, first["loc"]), message)


def _words(kind: str, message: str) -> str:
    if kind == _UNKNOWN_KEY:
        return "unknown key"
    if kind == _MISSING:
        return "is missing"
    said = message.removeprefix("Value error, ")
    return said[:1].lower() + said[1:]


def _in_file(mapping: Any, place: Place) -> Place:
    """The place without the names that pydantic adds for kinds of demand; its end may be missing."""
    at, kept = mapping, []
    for number, key in enumerate(place):
        is_there = (isinstance(at, dict) and key in at) or (
            isinstance(at, list) and isinstance(key, int) and key < len(at)
        )
        if is_there:
            at = at[key]
            kept.append(key)
        elif number == len(place) - 1:
            kept.append(key)
    return tuple(kept)


def _dotted(place: Place) -> str:
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place)
    return text.removeprefix(".")


def _lines(path: Path) -> dict[Place, int]:
    """The line of every key and list element, by its place."""
    found: dict[Place, int] = {}
    root = yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
    if root is not None:
        _walk(root, (), found)
    return found


def _walk(node: yaml.Node, place: Place, found: dict[Place, int]) -> None:
    found.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*place, key.value)
            found[below] = key.start_mark.line + 1
            _walk(value, below, found)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            _walk(value, (*place, number), found)
