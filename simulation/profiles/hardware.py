"""What engine laws know of models and GPUs: dimensions, memory, bandwidth, and how much KV cache fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml

from heliostat.errors import InvalidInput, UnknownEngineLaw

_Value = TypeVar("_Value")
FILE = Path(__file__).with_name("hardware.yaml")
VALUE_BYTES = 2
"""fp16 or bf16, weights and KV cache alike."""
RESERVED_SHARE = 0.1
"""Of a GPU's memory: activations, CUDA graphs, fragments (the default of common engines)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A transformer's dimensions; `kv_heads` < `query_heads` is grouped-query attention."""

    name: str
    layers: int
    hidden: int
    query_heads: int
    kv_heads: int
    head_dim: int
    parameters: float
    vocabulary: int
    embeddings: int

    @property
    def weights_bytes(self) -> int:
        """All parameters at two bytes."""
        return int(self.parameters * VALUE_BYTES)

    @property
    def kv_bytes_per_token(self) -> int:
        """Keys and values of all layers. Llama2-70B: 2 · 80 · 8 · 128 · 2 = 327,680."""
        return 2 * self.layers * self.kv_heads * self.head_dim * VALUE_BYTES

    @property
    def layer_parameters(self) -> float:
        """Parameters of one layer, embeddings left out."""
        outside = self.embeddings * self.vocabulary * self.hidden
        return (self.parameters - outside) / self.layers


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU: memory, its bandwidth, dense half-precision rate, its machine's network ("" = unknown)."""

    name: str
    memory_bytes: float
    bytes_per_second: float
    flops: float
    network: str


def architecture(name: str) -> Architecture | None:
    """The model of that name in any spelling that we know; None when we do not."""
    return _models().get(_folded(name))


def gpu(name: str) -> Gpu | None:
    """The GPU of that name in any spelling that we know; None when we do not."""
    return _gpus().get(_folded(name))


def model_name(written: str) -> str:
    """Our spelling of a model's name; a model that we do not know keeps its own."""
    found = architecture(written)
    return found.name if found else written


def gpu_name(written: str) -> str:
    """Our spelling of a GPU's name; one that we do not know keeps its own."""
    found = gpu(written)
    return found.name if found else written


def architectures() -> tuple[Architecture, ...]:
    """All models that we know, by name."""
    return tuple(sorted(set(_models().values()), key=lambda model: model.name))


def kv_bytes_available(
    model: Architecture,
    device: Gpu,
    tensor_parallel: int,
    *,
    reserved_share: float = RESERVED_SHARE,
) -> int:
    """Memory for KV cache on one replica: its GPUs' memory less the reserve and the weights; may be below 1.

    Keys and values of a head are kept once, so more GPUs than KV heads hold copies of them.
    """
    if tensor_parallel < 1:
        raise InvalidInput("tensor_parallel", f"{tensor_parallel} is not a number of GPUs")
    copies = max(1.0, tensor_parallel / model.kv_heads)
    free = tensor_parallel * device.memory_bytes * (1 - reserved_share) - model.weights_bytes
    return int(free / copies)


def require(model: str, device: str) -> tuple[Architecture, Gpu]:
    """Both, by any of their names. Raises UnknownEngineLaw, naming the ones that we know."""
    found, where = architecture(model), gpu(device)
    if found is None:
        known = ", ".join(one.name for one in architectures())
        raise UnknownEngineLaw(f"{model} on {device}", remedy=f"models are {known}")
    if where is None:
        known = ", ".join(sorted({one.name for one in _gpus().values()}))
        raise UnknownEngineLaw(f"{model} on {device}", remedy=f"GPUs are {known}")
    return found, where


def _folded(name: str) -> str:
    return name.strip().lower()


@cache
def _file() -> Mapping[str, Any]:
    mapping: Mapping[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
    return mapping


@cache
def _models() -> Mapping[str, Architecture]:
    return _by_every_name(
        {
            name: Architecture(name=name, **_known(entry))
            for name, entry in _file()["models"].items()
        },
        _file()["models"],
    )


@cache
def _gpus() -> Mapping[str, Gpu]:
    return _by_every_name(
        {name: Gpu(name=name, **_known(entry)) for name, entry in _file()["gpus"].items()},
        _file()["gpus"],
    )


def _known(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "known_as"}


def _by_every_name(
    values: Mapping[str, _Value], entries: Mapping[str, Any]
) -> Mapping[str, _Value]:
    return {
        _folded(written): value
        for name, value in values.items()
        for written in (name, *entries[name]["known_as"])
    }
