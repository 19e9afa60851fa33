"""Reads a YAML file that contains one mapping without duplicate keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from heliostat.errors import InvalidInput

_MERGE = "tag:yaml.org,2002:merge"
_MOST_VALUES = 1_000_000
"""With every alias written out; a few lines of aliases of aliases hold more than a machine."""


def read_mapping(path: Path, refusal: type[InvalidInput]) -> dict[str, Any]:
    """The file's mapping, empty for an empty file.

    Raises `refusal`, naming the file, when it cannot be read, is no YAML or holds something else.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise refusal(str(path), f"cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise refusal(str(path), f"is not YAML: {error}") from error
    except RecursionError:
        raise refusal(str(path), "is nested too deep") from None
    if _is_endless(content):
        raise refusal(
            str(path), f"holds more than {_MOST_VALUES:,} values, counting expanded aliases"
        )
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise refusal(str(path), "is not a mapping of keys")
    for key in content:
        if not isinstance(key, str):
            raise refusal(str(path), f"the key {key!r} is not text")
    return content


def _is_endless(content: object) -> bool:
    """Whether walking through it would take for ever: it holds itself, or copies of copies."""
    left, waiting = _MOST_VALUES, [content]
    while waiting and left > 0:
        value = waiting.pop()
        below = list(value.values()) if isinstance(value, dict) else value
        if isinstance(below, list):
            left -= len(below)
            waiting += below if left > 0 else []
    return left <= 0


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML would silently let the last one win."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError) as error:
            # What a constructor says of the 31st of February, or of nothing tagged as a number.
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"{str(node.value)[:40]!r} is not a valid {kind}: {error}",
                node.start_mark,
            ) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == _MERGE:
                continue  # no key of ours, and none that another can overwrite unseen
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key_node.value!r} appears twice", key_node.start_mark
                )
            seen.add(key_node.value)
        made: dict[object, object] = super().construct_mapping(node, deep)
        return made
