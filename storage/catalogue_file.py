"""Reads the fleet catalogue from its YAML file; every error names the file and the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from heliostat.catalogue import FleetCatalogue, parse_catalogue
from heliostat.errors import InvalidCatalogue
from storage.mapping_file import read_mapping


def read_catalogue(path: Path) -> FleetCatalogue:
    """The catalogue in that file. Raises InvalidCatalogue, also when the file cannot be read."""
    mapping = read_catalogue_mapping(path)
    try:
        return parse_catalogue(mapping)
    except InvalidCatalogue as error:
        raise _in_file(path, error) from error


def read_catalogue_mapping(path: Path) -> dict[str, Any]:
    """What the file says, not looked into. Raises InvalidCatalogue when it cannot be read."""
    try:
        return read_mapping(path, InvalidCatalogue)
    except InvalidCatalogue as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        raise InvalidCatalogue(
            str(path),
            "cannot be read: file not found",
            remedy="give your fleet's catalogue with --catalogue; start from a copy of "
            "deploy/catalogue.yaml",
        ) from error


def _in_file(path: Path, error: InvalidCatalogue) -> InvalidCatalogue:
    message = str(error.args[0]).removeprefix(f"{error.field}: ")
    return InvalidCatalogue(f"{path}: {error.field}", message, remedy=error.remedy)
