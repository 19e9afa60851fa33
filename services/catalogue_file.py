"""Reads the fleet catalogue from its YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from heliostat.catalogue import FleetCatalogue, parse_catalogue
from heliostat.errors import InvalidCatalogue


def read_catalogue(path: Path) -> FleetCatalogue:
    """The catalogue in a file. Raises InvalidCatalogue naming the key path, or the file."""
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidCatalogue(str(path), f"cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise InvalidCatalogue(str(path), f"is not YAML: {error}") from None
    if not isinstance(content, dict):
        raise InvalidCatalogue(str(path), "is not a mapping of keys")
    return parse_catalogue(content)
