"""Turns our frozen values into JSON text and back, exactly: whatever is written reads back equal.

The declared types decide how a value is written: instants as ISO 8601, lengths in whole
microseconds, bytes as base64, mappings as lists of pairs, a union of dataclasses with the class's
name beside its fields. A field that the text lacks gets its default and one that the class lacks is
skipped, so that neighbouring releases read each other's documents.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cache, lru_cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from heliostat.errors import DataLoss, HeliostatError

_T = TypeVar("_T")
_KIND = "type"
"""The key that names the class where a union leaves a choice."""


class _Codec(NamedTuple):
    """How values of one declared type become plain JSON values, and back."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def dumps(value: object) -> str:
    """A dataclass instance as JSON text."""
    plain = _codec_of(type(value)).encode(value)
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False)


def loads(kind: type[_T], text: str | bytes) -> _T:
    """The value of that class behind `dumps`. Raises DataLoss when the text is something else."""
    try:
        value: _T = _codec_of(kind).decode(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, HeliostatError) as error:
        raise DataLoss(f"a stored {kind.__name__} cannot be read back: {error!r}") from error
    return value


def field_of(kind: type[Any], name: str, text: str) -> Any:
    """One field of the value behind `dumps`, without making the others. Raises DataLoss when it is
    something else."""
    try:
        return _codec(get_type_hints(kind)[name]).decode(json.loads(text)[name])
    except (ValueError, KeyError, TypeError, AttributeError, HeliostatError) as error:
        raise DataLoss(f"a stored {kind.__name__} has no {name}: {error!r}") from error


def loads_once(kind: type[_T], text: str) -> _T:
    """As `loads`, but the same text gives the same object: for frozen values that are read often and
    whose documents never change (plans, routing tables)."""
    hashable: Any = kind  # classes are, mypy doubts it of `type[_T]`
    value: _T = _remembered(hashable, text)
    return value


@lru_cache(maxsize=64)
def _remembered(kind: Any, text: str) -> Any:
    return loads(kind, text)


def _codec_of(kind: Any) -> _Codec:
    """The codec; takes anything, since mypy doubts that classes are hashable, as `cache` needs."""
    return _codec(kind)


@cache
def _codec(kind: Any) -> _Codec:
    if isinstance(kind, NewType):
        return _codec(kind.__supertype__)
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _union(get_args(kind))
    if origin is not None:
        return _container(origin, get_args(kind))
    if is_dataclass(kind):
        return _dataclass(kind)
    if issubclass(kind, Enum):
        return _Codec(lambda value: value.value, kind)
    if kind in _SCALARS:
        return _SCALARS[kind]
    raise TypeError(f"no way to write {kind!r} is known")


_MICROSECOND = timedelta(microseconds=1)
_SCALARS: dict[Any, _Codec] = {
    str: _Codec(str, str),
    bool: _Codec(bool, bool),
    # Solvers and arrays hand in numbers of their own kinds, which JSON does not know.
    int: _Codec(int, int),
    float: _Codec(float, float),
    NoneType: _Codec(lambda value: value, lambda plain: plain),
    datetime: _Codec(datetime.isoformat, datetime.fromisoformat),
    timedelta: _Codec(lambda value: value // _MICROSECOND, lambda plain: plain * _MICROSECOND),
    bytes: _Codec(lambda value: b64encode(value).decode("ascii"), b64decode),
}


def _container(origin: Any, arguments: tuple[Any, ...]) -> _Codec:
    if issubclass(origin, Mapping):
        return _mapping(_codec(arguments[0]), _codec(arguments[1]))
    if origin is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
        return _record([_codec(argument) for argument in arguments])
    encode, decode = _codec(arguments[0])
    if issubclass(origin, frozenset):
        return _Codec(
            lambda value: sorted(encode(item) for item in value),
            lambda plain: frozenset(decode(item) for item in plain),
        )
    made = tuple if origin is tuple else list
    if issubclass(origin, Sequence):
        return _Codec(
            lambda value: [encode(item) for item in value],
            lambda plain: made(decode(item) for item in plain),
        )
    raise TypeError(f"no way to write {origin!r} is known")


def _mapping(key: _Codec, value: _Codec) -> _Codec:
    return _Codec(
        lambda pairs: [[key.encode(k), value.encode(v)] for k, v in pairs.items()],
        lambda plain: {key.decode(k): value.decode(v) for k, v in plain},
    )


def _record(places: list[_Codec]) -> _Codec:
    return _Codec(
        lambda value: [codec.encode(item) for codec, item in zip(places, value, strict=True)],
        lambda plain: tuple(c.decode(item) for c, item in zip(places, plain, strict=True)),
    )


def _union(members: tuple[Any, ...]) -> _Codec:
    some = [member for member in members if member is not NoneType]
    if len(some) > 1:
        return _choice({member.__name__: member for member in some})
    encode, decode = _codec(some[0])
    return _Codec(
        lambda value: None if value is None else encode(value),
        lambda plain: None if plain is None else decode(plain),
    )


def _choice(members: Mapping[str, Any]) -> _Codec:
    def encode(value: Any) -> Any:
        if value is None:
            return None
        return {_KIND: type(value).__name__, **_codec_of(type(value)).encode(value)}

    def decode(plain: Any) -> Any:
        return None if plain is None else _codec(members[plain[_KIND]]).decode(plain)

    return _Codec(encode, decode)


def _dataclass(kind: Any) -> _Codec:
    types = get_type_hints(kind)
    codecs: dict[str, _Codec] = {}

    def parts() -> dict[str, _Codec]:
        # Looked up late, so that a class may hold itself.
        if not codecs:
            codecs.update({f.name: _codec(types[f.name]) for f in fields(kind) if f.init})
        return codecs

    def encode(value: Any) -> Any:
        return {name: codec.encode(getattr(value, name)) for name, codec in parts().items()}

    def decode(plain: Any) -> Any:
        known = parts().items()
        return kind(**{name: codec.decode(plain[name]) for name, codec in known if name in plain})

    return _Codec(encode, decode)
