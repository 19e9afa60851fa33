"""Iteration times as sums of measured operators: linear layers, attention, all-reduce.

An iteration of a model with L layers takes L · (linear + attention) + 2 · L · all-reduce (Agrawal et
al., Vidur, MLSys 2024): what the GPUs do, without what a framework adds between kernels.
Linear operators of a model that nobody measured are the nearest measured model's, in proportion to
parameters per layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from simulation.columns import Floats
from simulation.profiles.attention import attention_scales, attention_table, scaled
from simulation.profiles.hardware import VALUE_BYTES, Architecture, Gpu, architecture, gpu
from simulation.profiles.rows import AllReduceRow, AttentionRow, LinearRow, ProfileKey

_ALL_REDUCES_PER_LAYER = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """Seconds by size, between measured sizes by interpolation; medians where a size repeats."""

    size: Floats
    seconds: Floats

    def at(self, size: Floats) -> Floats:
        """Seconds at these sizes; beyond the last in proportion to it, which bandwidth then bounds."""
        within = np.interp(size, self.size, self.seconds)
        found: Floats = within * np.maximum(1.0, size / self.size[-1])
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """Summed iteration times of one model: at the attention table's batches and contexts, and prompts."""

    batch: Floats
    context: Floats
    decode_seconds: Floats
    prompt: Floats
    prefill_seconds: Floats
    donor: str
    """Whose linear operators were scaled; "" = the model's own."""


class Operators:
    """All operator tables together."""

    def __init__(
        self,
        linear: Sequence[LinearRow],
        attention: Sequence[AttentionRow],
        all_reduce: Sequence[AllReduceRow],
    ) -> None:
        self._linear = {
            key: curve(
                (row.batch_tokens, row.seconds_per_layer) for row in linear if row.key == key
            )
            for key in sorted({row.key for row in linear})
        }
        self._all_reduce = {
            (network, workers): curve(
                (row.size_bytes, row.seconds)
                for row in all_reduce
                if (row.network, row.workers, row.per_node) == (network, workers, workers)
            )
            for network, workers in sorted({(row.network, row.workers) for row in all_reduce})
        }
        self._attention = attention_table(attention)

    @property
    def measured(self) -> tuple[ProfileKey, ...]:
        """Whose linear operators there are."""
        return tuple(self._linear)

    def sums(self, key: ProfileKey) -> tuple[Sums | None, str]:
        """Summed times of that model on those GPUs, or None with the reason."""
        model, device, attention = architecture(key.model), gpu(key.gpu), self._attention
        if model is None or device is None:
            return None, "the model's or the GPU's dimensions are unknown"
        if attention is None:
            return None, "no attention table"
        donor = key if key in self._linear else self._nearest(key, model)
        if donor is None:
            return None, "no linear operators were measured on these GPUs"
        reduce = self._reducing(device, key.tensor_parallel, model)
        if reduce is None:
            return None, f"no all-reduce times of {key.tensor_parallel} GPUs of one machine"
        scale = 1.0 if donor == key else _parameters(model) / _parameters_of(donor)
        linear = self._linear[donor]
        scales = attention_scales(attention.key, model, device, key.tensor_parallel)
        if scales is None:
            return None, f"the dimensions of {attention.key} in the attention table are unknown"
        reads, computes = scales

        def iteration(tokens: Floats, attending: Floats) -> Floats:
            layer = linear.at(tokens) * scale + attending
            total: Floats = model.layers * (layer + _ALL_REDUCES_PER_LAYER * reduce(tokens))
            return total

        decodes, prompts = (
            sizes <= linear.size[-1] for sizes in (attention.batch, attention.prompt)
        )
        batch, prompt = attention.batch[decodes], attention.prompt[prompts]
        return (
            Sums(
                batch=batch,
                context=attention.context[decodes],
                decode_seconds=iteration(batch, scaled(attention.decode_seconds[decodes], reads)),
                prompt=prompt,
                prefill_seconds=iteration(
                    prompt, scaled(attention.prefill_seconds[prompts], computes)
                ),
                donor="" if donor == key else donor.model,
            ),
            "",
        )

    def _nearest(self, key: ProfileKey, model: Architecture) -> ProfileKey | None:
        """The measured model on the same GPUs whose layers are nearest in size."""
        there = [
            other
            for other in self._linear
            if (other.gpu, other.tensor_parallel) == (key.gpu, key.tensor_parallel)
            and architecture(other.model) is not None
        ]
        wanted = log(_parameters(model))
        return min(there, key=lambda one: abs(log(_parameters_of(one)) - wanted), default=None)

    def _reducing(
        self, device: Gpu, workers: int, model: Architecture
    ) -> Callable[[Floats], Floats] | None:
        if workers == 1:
            return np.zeros_like
        found = self._all_reduce.get((device.network, workers))
        if found is None or not len(found.size):
            return None
        return lambda tokens: found.at(tokens * model.hidden * VALUE_BYTES)


def curve(points: Iterable[tuple[float, float]]) -> Curve:
    """The curve through these (size, seconds), in any order."""
    by_size: dict[float, list[float]] = {}
    for size, seconds in points:
        by_size.setdefault(size, []).append(seconds)
    sizes = sorted(by_size)
    return Curve(
        size=np.array(sizes, dtype=np.float64),
        seconds=np.array([np.median(by_size[size]) for size in sizes], dtype=np.float64),
    )


def _parameters(model: Architecture) -> float:
    return model.layer_parameters


def _parameters_of(key: ProfileKey) -> float:
    found = architecture(key.model)
    assert found is not None, "only known models can be donors"
    return found.layer_parameters
