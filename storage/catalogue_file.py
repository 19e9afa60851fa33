"""Reads the fleet catalogue from its YAML file; every complaint names the file and the key."""

from __future__ import annotations

from pathlib import Path

import yaml

from heliostat.catalogue import FleetCatalogue, parse_catalogue
from heliostat.errors import InvalidCatalogue


def read_catalogue(path: Path) -> FleetCatalogue:
    """The catalogue in that file. Raises InvalidCatalogue, also when the file cannot be read."""
    try:
        mapping = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise InvalidCatalogue(str(path), f"cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidCatalogue(str(path), f"is no YAML: {error}") from error
    if not isinstance(mapping, dict):
        raise InvalidCatalogue(str(path), "holds no mapping")
    try:
        return parse_catalogue(mapping)
    except InvalidCatalogue as error:
        raise _in_file(path, error) from error


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice, which YAML would silently let the last one win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        made: dict[object, object] = super().construct_mapping(node, deep)
        return made


def _in_file(path: Path, error: InvalidCatalogue) -> InvalidCatalogue:
    message = str(error.args[0]).removeprefix(f"{error.field}: ")
    return InvalidCatalogue(f"{path}: {error.field}", message, remedy=error.remedy)
