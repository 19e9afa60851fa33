"""Read-only mappings that can be pickled."""

from __future__ import annotations

import copyreg
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def read_only(mapping: Mapping[_Key, _Value]) -> Mapping[_Key, _Value]:
    """A copy of the mapping that refuses changes; it can be pickled and copied."""
    return MappingProxyType({**mapping})


def _as_sent(proxy: MappingProxyType[Any, Any]) -> tuple[Any, tuple[dict[Any, Any]]]:
    return read_only, ({**proxy},)


copyreg.pickle(MappingProxyType, _as_sent)
