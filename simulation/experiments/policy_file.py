"""Reads policies from arguments: a policy's name, or a YAML file that describes one.

docs/experiments.md lists the keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from heliostat.errors import InvalidInput
from simulation.experiments.spec import PolicySpec
from simulation.experiments.words import GUARDRAILS, WORDS
from storage.mapping_file import read_mapping

SUFFIXES = (".yaml", ".yml")
_WORDS = ("name", "policy", "forecaster", "router", "order", "dispatch", "prefill")
_KEYS = (*_WORDS, "headroom", "batch_size", "lends", "guardrails")
_LARGEST = 1e9
"""In seconds 31 years."""


def policies_asked(asked: Iterable[str], *, forecaster: str = "") -> tuple[PolicySpec, ...]:
    """Each of the comma-separated names and files. Raises InvalidInput.

    `forecaster` is for all that do not name their own.
    """
    found = []
    for word in (part.strip() for text in asked for part in text.split(",")):
        if word.endswith(SUFFIXES):
            found.append(read_policy(Path(word), forecaster=forecaster))
        elif word:
            found.append(PolicySpec(name=word, policy=word, forecaster=forecaster))
    return tuple(found)


def read_policy(path: Path, *, forecaster: str = "") -> PolicySpec:
    """The policy in a YAML file. Raises InvalidInput, naming the file and the key."""
    told = read_mapping(path, InvalidInput)
    for key in told:
        if key not in _KEYS:
            raise InvalidInput(f"{path}: {key}", f"is unknown; known are {', '.join(_KEYS)}")
    words = {key: _word(path, told, key) for key in _WORDS}
    name = words["name"] or path.stem
    try:
        found = PolicySpec(
            name=name,
            policy=words["policy"] or name,
            headroom=_number(f"{path}: headroom", told["headroom"]) if "headroom" in told else None,
            forecaster=words["forecaster"] or forecaster,
            router=words["router"],
            order=words["order"],
            dispatch=words["dispatch"],
            prefill=words["prefill"],
            batch_size=_count(path, told["batch_size"]) if "batch_size" in told else 0,
            lends=_yes(path, told.get("lends", False)),
            guardrails=_guardrails(path, told.get("guardrails") or {}),
        )
    except InvalidInput as error:
        raise _in_file(path, error) from error
    _check_policy(path, words)
    return found


def _in_file(path: Path, error: InvalidInput) -> InvalidInput:
    """The error, naming the file where it does not yet."""
    if error.field.startswith(str(path)):
        return error
    message = str(error.args[0]).removeprefix(f"{error.field}: ")
    key = error.field.removeprefix("policy.")
    return InvalidInput(f"{path}: {key}", message, remedy=error.remedy)


def _word(path: Path, told: Mapping[str, Any], key: str) -> str:
    value = told.get(key) or ""
    if not isinstance(value, str):
        raise InvalidInput(f"{path}: {key}", f"{value!r} is not a valid name")
    known = WORDS.get(key, ())
    if value and known and value not in known:
        raise InvalidInput(
            f"{path}: {key}", f"{value!r} is unknown", remedy=f"known are {', '.join(known)}"
        )
    return value


def _check_policy(path: Path, words: Mapping[str, str]) -> None:
    """Without `policy` the name says which one it is, without a name that of the file."""
    if words["policy"] or (words["name"] or path.stem) in WORDS["policy"]:
        return
    called = words["name"] or path.stem
    lacks = "no `policy`" if words["name"] else "neither `policy` nor `name`"
    raise InvalidInput(
        str(path),
        f"has {lacks}, and no policy is named {called!r}",
        remedy=f"policies are {', '.join(WORDS['policy'])}",
    )


def _yes(path: Path, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(f"{path}: lends", f"{value!r} is neither true nor false")
    return value


def _number(field: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(field, f"{value!r} is not a number")
    if not abs(value) <= _LARGEST:  # which NaN is not either
        raise InvalidInput(field, f"{value!r:.20} is out of range", remedy=f"{_LARGEST:g} at most")
    return float(value)


def _limit(field: str, value: Any) -> float:
    number = _number(field, value)
    if number < 0 or ("largest_step" in field and not number.is_integer()):
        raise InvalidInput(
            field, f"{value!r} is not a valid limit", remedy="0 or more; steps are whole"
        )
    return number


def _count(path: Path, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidInput(
            f"{path}: batch_size", f"{value!r} is not a valid batch size", remedy="1 or more"
        )
    return value


def _guardrails(path: Path, told: Any) -> tuple[tuple[str, float], ...]:
    if not isinstance(told, Mapping):
        raise InvalidInput(f"{path}: guardrails", "is not a mapping of keys")
    for key in told:
        if key not in GUARDRAILS:
            raise InvalidInput(
                f"{path}: guardrails.{key}",
                "is unknown",
                remedy=f"known are {', '.join(GUARDRAILS)}",
            )
    return tuple(
        (str(key), _limit(f"{path}: guardrails.{key}", value))
        for key, value in sorted(told.items())
    )
