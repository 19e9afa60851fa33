"""A place in a parsed file: hands out checked scalars, and every complaint names its key path."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from heliostat.errors import InvalidCatalogue

_LONGEST_SECONDS = 36_525 * 86_400
_MOST = 2**63 - 1
"""The largest whole number that arrays, databases and messages hold."""
T = TypeVar("T")
D = TypeVar("D")


class Reader:
    """A mapping, list or scalar and the path that led to it."""

    def __init__(self, value: Any, path: str = "") -> None:
        self.value = value
        self.path = path

    def fail(self, message: str) -> InvalidCatalogue:
        """The error that names this place."""
        return InvalidCatalogue(self.path or "catalogue", message)

    def has(self, key: str) -> bool:
        """True when the key is there and not null."""
        return isinstance(self.value, Mapping) and self.value.get(key) is not None

    def at(self, key: str) -> Reader:
        """The value under a key. Raises when it is missing."""
        if not isinstance(self.value, Mapping):
            raise self.fail("must be a mapping")
        if self.value.get(key) is None:
            raise InvalidCatalogue(f"{self.path}.{key}".lstrip("."), "is missing")
        return Reader(self.value[key], f"{self.path}.{key}".lstrip("."))

    def maybe(self, key: str, read: Callable[[Reader], T], otherwise: D) -> T | D:
        """What `read` makes of the value under a key; `otherwise` when it is missing or null."""
        return read(self.at(key)) if self.has(key) else otherwise

    def only(self, *keys: str) -> Reader:
        """Itself, when it holds no other keys than these."""
        if not isinstance(self.value, Mapping):
            raise self.fail("must be a mapping")
        for key in self.value:
            if key not in keys:
                raise InvalidCatalogue(
                    f"{self.path}.{key}".lstrip("."), f"is unknown; known are {', '.join(keys)}"
                )
        return self

    def items(self) -> list[tuple[str, Reader]]:
        """The entries of a mapping."""
        if not isinstance(self.value, Mapping):
            raise self.fail("must be a mapping")
        return [
            (str(key), Reader(value, f"{self.path}.{key}".lstrip(".")))
            for key, value in self.value.items()
        ]

    def each(self) -> list[Reader]:
        """The elements of a list."""
        if not isinstance(self.value, Sequence) or isinstance(self.value, str):
            raise self.fail("must be a list")
        return [Reader(value, f"{self.path}[{i}]") for i, value in enumerate(self.value)]

    def text(self) -> str:
        """A non-empty string."""
        if not isinstance(self.value, str) or not self.value:
            raise self.fail(f"must be a non-empty string, not {self.value!r}")
        return self.value

    def number(self) -> float:
        """A finite number, not negative."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            raise self.fail(f"must be a number, not {value!r}")
        # YAML's whole numbers may be longer than a float's.
        if not 0 <= value <= sys.float_info.max:
            raise self.fail(f"{value} is out of range")
        return float(value)

    def count(self, *, least: int = 0) -> int:
        """A whole number of at least that, which fits into 64 bits."""
        if isinstance(self.value, bool) or not isinstance(self.value, int) or self.value < least:
            raise self.fail(f"must be a whole number of at least {least}, not {self.value!r}")
        if self.value > _MOST:
            raise self.fail(f"{self.value} is out of range")
        return self.value

    def texts(self) -> frozenset[str]:
        """A list of non-empty strings, as a set."""
        return frozenset(one.text() for one in self.each())

    def positive(self) -> float:
        """A finite number above zero."""
        number = self.number()
        if not number:
            raise self.fail(f"{self.value} is out of range")
        return number

    def bytes_of_gb(self) -> int:
        """A size above zero given in gigabytes (10⁹ bytes), in whole bytes that fit into 64 bits."""
        size = self.positive() * 1e9
        if size > _MOST:
            raise self.fail(f"{self.value} is out of range")
        return int(size)

    def seconds(self) -> timedelta:
        """A length of time given in seconds, at most a hundred years."""
        seconds = self.number()
        if seconds > _LONGEST_SECONDS:
            raise self.fail(f"{seconds:g} seconds is more than a hundred years")
        return timedelta(seconds=seconds)


def unique(place: Reader, names: list[Any]) -> list[Any]:
    """The names themselves when there is at least one and none twice."""
    if not names:
        raise place.fail("is empty")
    if len(set(names)) != len(names):
        raise place.fail("contains a name twice")
    return names


def name_of(reader: Reader) -> str:
    """A name that can be part of a key."""
    name = reader.text()
    if "/" in name or name == "*" or name != name.strip():
        raise reader.fail(f"{name!r} may not contain '/', start or end with blanks, or be '*'")
    return name


def known(place: Reader, name: str, names: list[Any]) -> Any:
    """The name when it is one of these."""
    if name not in names:
        raise place.fail(f"{name!r} is unknown; known are {', '.join(names)}")
    return name
