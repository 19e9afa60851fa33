"""What kind of value a setting wants, and how a list, a mapping or a section is written as JSON."""

from __future__ import annotations

import json
import types
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from heliostat.model.names import RegionName

_LISTS = (list, tuple, set, frozenset)
_EXAMPLES = {date: "2026-11-26", RegionName: "eastus", Path: "/path/to/file"}
_TEXT = "a"


def kind_at(kind: Any, place: Iterable[object]) -> Any:
    """What kind of value stands at that place below one of that kind; None where none can."""
    for part in place:
        kind = _bare(kind)
        if section := section_of(kind):
            field = section.model_fields.get(str(part))
            kind = field and field.annotation
        elif get_origin(kind) in (dict, *_LISTS):
            kind = next(one for one in reversed(get_args(kind)) if one is not Ellipsis)
        else:
            return None
    return _bare(kind)


def section_of(kind: Any) -> type[BaseModel] | None:
    """The class of a group of settings; None for any other kind."""
    kind = _bare(kind)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def json_example(kind: Any) -> str | None:
    """A list, mapping or section of that kind as JSON; None for any other kind."""
    kind = _bare(kind)
    if section_of(kind) or get_origin(kind) in (dict, *_LISTS):
        return json.dumps(_example(kind))
    return None


def _example(kind: Any) -> Any:
    for said in getattr(kind, "__metadata__", ()):
        if isinstance(said, FieldInfo) and said.examples:
            return said.examples[0]
    kind = _bare(kind)
    origin, parts = get_origin(kind), get_args(kind)
    if section := section_of(kind):
        return _section_example(section)
    if origin is dict:
        return {_example(parts[0]): _example(parts[1])}
    if origin in _LISTS:
        return [_example(parts[0])]
    return _EXAMPLES.get(kind, _TEXT)


def _section_example(section: type[BaseModel]) -> dict[str, Any]:
    """All that it requires, else its first key with the default."""
    fields = section.model_fields
    required = {name: _example(f.annotation) for name, f in fields.items() if f.is_required()}
    if required:
        return required
    name, field = next(iter(fields.items()))
    return {name: to_jsonable_python(field.get_default(call_default_factory=True))}


def _bare(kind: Any) -> Any:
    """Without its checks, and without None as an alternative."""
    while get_origin(kind) in (Annotated, Union, types.UnionType):
        kind = next(one for one in get_args(kind) if one is not type(None))
    return kind
