"""One line of a profile table: its fields as numbers and words, or an InvalidProfile that names the place."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from heliostat.errors import InvalidProfile
from simulation.profiles.hardware import gpu_name, model_name
from simulation.profiles.rows import ProfileKey

_TRUTHS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a CSV file with a header; every reader raises InvalidProfile."""

    place: str
    fields: Mapping[str, str]

    def text(self, column: str) -> str:
        """The field, "" where it is empty."""
        return self.fields[column].strip()

    def name(self, column: str) -> str:
        """A field that may not be empty."""
        return self.text(column) or self._refuse(f"{column} is empty")

    def seconds(self, column: str, *, per_unit: float = 1.0) -> float:
        """A time above 0, in units of `per_unit` seconds."""
        value = self._number(column)
        if not value > 0:
            self._refuse(f"{column} is not above 0: {self.text(column)!r}")
        return value * per_unit

    def whole(self, column: str, *, least: int = 1) -> int:
        """A whole number of at least `least`."""
        value = self._number(column)
        if value != math.floor(value) or value < least:
            self._refuse(
                f"{column} is not a whole number of at least {least}: {self.text(column)!r}"
            )
        return int(value)

    def truth(self, column: str) -> bool:
        """True or False."""
        found = _TRUTHS.get(self.text(column).lower())
        return self._refuse(f"{column} is neither True nor False") if found is None else found

    def key(self) -> ProfileKey:
        """The columns `model`, `gpu` and `tensor_parallel`, names in our spelling."""
        return ProfileKey(
            model=model_name(self.name("model")),
            gpu=gpu_name(self.name("gpu")),
            tensor_parallel=self.whole("tensor_parallel"),
        )

    def _number(self, column: str) -> float:
        try:
            value = float(self.text(column))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self._refuse(f"{column} is not a number: {self.text(column)[:40]!r}")
        return value

    def _refuse(self, complaint: str) -> NoReturn:
        raise InvalidProfile(self.place, complaint)


def header(path: Path) -> tuple[str, ...]:
    """The column names of a CSV file, () of an empty one. Raises InvalidProfile when it cannot be read."""
    for row in _rows(path):
        return tuple(name.strip() for name in row[1])
    return ()


def lines(path: Path) -> Iterator[Line | InvalidProfile]:
    """All lines below the header; a line with too many or too few fields comes as the complaint about it."""
    names = header(path)
    rows = _rows(path)
    next(rows, None)
    for number, row in rows:
        place = f"{path.name}:{number}"
        if not row:
            continue
        if len(row) != len(names):
            yield InvalidProfile(place, f"has {len(row)} fields, expected {len(names)}")
        else:
            yield Line(place, dict(zip(names, row, strict=True)))


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            for row in reader:
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidProfile(str(path), f"cannot be read as CSV: {error}") from error
