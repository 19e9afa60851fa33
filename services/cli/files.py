"""Files that several commands read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from heliostat.catalogue import FleetCatalogue, parse_catalogue
from heliostat.errors import InvalidCatalogue


def read_catalogue(path: Path) -> FleetCatalogue:
    """The fleet catalogue in a YAML file. Raises InvalidCatalogue naming the file and the key."""
    import yaml

    try:
        found: Any = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidCatalogue(
            str(path),
            f"cannot be read: {error.strerror}",
            remedy="name it with --catalogue or HELIOSTAT_CATALOGUE",
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidCatalogue(str(path), f"is no YAML: {error}") from error
    return parse_catalogue(found)
