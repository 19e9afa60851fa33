"""Reads a YAML file that holds one mapping, where no key may stand twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from heliostat.errors import InvalidInput

_MERGE = "tag:yaml.org,2002:merge"


def read_mapping(path: Path, refusal: type[InvalidInput]) -> dict[str, Any]:
    """The file's mapping, empty for an empty file.

    Raises `refusal`, naming the file, when it cannot be read, is no YAML or holds something else.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise refusal(str(path), f"cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise refusal(str(path), f"is not YAML: {error}") from error
    except RecursionError:
        raise refusal(str(path), "is nested too deep") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise refusal(str(path), "is not a mapping of keys")
    for key in content:
        if not isinstance(key, str):
            raise refusal(str(path), f"the key {key!r} is not text")
    return content


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML would silently let the last one win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == _MERGE:
                continue  # no key of ours, and none that another can overwrite unseen
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key_node.value!r} stands twice", key_node.start_mark
                )
            seen.add(key_node.value)
        made: dict[object, object] = super().construct_mapping(node, deep)
        return made
