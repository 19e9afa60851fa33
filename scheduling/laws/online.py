"""A worker's law that follows what its engine does: refitted with every iteration that is reported.

It starts from a prior (the catalogue's law) and keeps KV sizes and the largest batch as they are: an
engine knows these, and iterations tell nothing of them. The error is the `quantile` of how much longer
than expected the last `window` observations took, prefills and iterations alike; it widens the margins
of whoever places by the law. One wild observation moves little: none counts as more than `most_factor`
times longer or shorter than expected, so that a law that is far off is reached in steps.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from heliostat.errors import InvalidInput
from heliostat.model.engine import KNEE_TOKENS
from scheduling.laws.law import WorkerLaw
from scheduling.laws.recursive import RecursiveFit

_FLOOR_STEP = 0.1
"""The flat part of prefills is one number: the mean of about the last ten that it explains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refit:
    """How quickly laws follow; all ours, the paper fits once.

    `memory`: observations after which one counts e times less; `doubt` and `noise`: relative standard
    deviations of the prior and of an observation, by which the first observations count; `window`
    observations and the `quantile` of them that the error is; `least_share`: no coefficient falls below
    that share of its prior, times stay positive; `most_factor`: an observation counts as at most so many
    times longer or shorter than expected.
    """

    memory: float = 500.0
    doubt: float = 0.3
    noise: float = 1.0
    window: int = 200
    quantile: float = 0.9
    least_share: float = 0.01
    most_factor: float = 2.0

    def __post_init__(self) -> None:
        if self.memory <= 1 or min(self.doubt, self.noise) <= 0 or self.window < 1:
            raise InvalidInput("refit", "memory above 1, doubt, noise and window positive")
        if not self.most_factor > 1:
            raise InvalidInput("refit", f"most_factor {self.most_factor} is not above 1")
        if not 0 < self.quantile < 1 or not 0 < self.least_share < 1:
            raise InvalidInput("refit", "quantile and least_share lie within (0, 1)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a law was fitted to: how many observations in all, and between which sizes the last `window`
    of each kind lay; beyond, the law extrapolates. (0, 0) = none was seen."""

    prefills: int = 0
    iterations: int = 0
    prompt_tokens: tuple[float, float] = (0.0, 0.0)
    sequences: tuple[float, float] = (0.0, 0.0)
    context_tokens: tuple[float, float] = (0.0, 0.0)


class OnlineLaw:
    """Follows one worker, or all workers of one pool together."""

    def __init__(self, prior: WorkerLaw, settings: Refit | None = None) -> None:
        self._prior = self._law = prior
        self._settings = settings = settings or Refit()
        self._bends = prior.prefill_per_token_beyond_knee > 0
        prefill = [prior.prefill_base, prior.prefill_per_token]
        if self._bends:
            prefill.append(prior.prefill_per_token_beyond_knee)
        decode = [prior.decode_base, prior.decode_per_sequence, prior.decode_per_token]
        self._prefill, self._decode = (
            RecursiveFit(
                np.array(one), doubt=settings.doubt, memory=settings.memory, noise=settings.noise
            )
            for one in (prefill, decode)
        )
        self._floor = prior.prefill_floor
        self._late: deque[float] = deque(maxlen=settings.window)
        self._prefills = self._iterations = 0
        self._prompts: deque[float] = deque(maxlen=settings.window)
        self._loads: deque[tuple[float, float]] = deque(maxlen=settings.window)

    @property
    def law(self) -> WorkerLaw:
        """As it is believed now, with its error; the prior until anything was seen."""
        if not self._late:
            return self._prior
        return replace(self._law, error=float(np.quantile(self._late, self._settings.quantile)))

    @property
    def observed(self) -> int:
        """Of how many observations the error is the quantile."""
        return len(self._late)

    @property
    def seen(self) -> Seen:
        """What it rests on."""
        sequences, tokens = zip(*self._loads, strict=True) if self._loads else ((), ())
        return Seen(
            prefills=self._prefills,
            iterations=self._iterations,
            prompt_tokens=_range(self._prompts),
            sequences=_range(sequences),
            context_tokens=_range(tokens),
        )

    def saw_prefill(self, tokens: float, seconds: float) -> None:
        """A prefill of so many prompt tokens took so long. Raises InvalidInput for what cannot be."""
        _check(seconds, tokens)
        seconds = self._noted(seconds, self._law.prefill_seconds(tokens))
        if self._law.prefill_seconds(tokens) <= self._floor:
            self._floor += (seconds - self._floor) * _FLOOR_STEP
        else:
            features = [1.0, tokens, max(0, tokens - KNEE_TOKENS)][: 3 if self._bends else 2]
            self._prefill.observe(np.array(features, dtype=np.float64), seconds)
        self._prefills += 1
        self._prompts.append(tokens)
        self._renew()

    def saw_decode(self, sequences: float, tokens: float, seconds: float) -> None:
        """An iteration of so many sequences and tokens of context in all took so long, or iterations did
        on the mean. Raises InvalidInput."""
        _check(seconds, sequences, tokens)
        seconds = self._noted(seconds, self._law.iteration_seconds(sequences, tokens))
        self._decode.observe(np.array([1.0, sequences, tokens]), seconds)
        self._iterations += 1
        self._loads.append((sequences, tokens))
        self._renew()

    def _noted(self, seconds: float, expected: float) -> float:
        """As it counts."""
        most = self._settings.most_factor
        counted = min(max(seconds, expected / most), expected * most)
        self._late.append(max(0.0, counted / expected - 1.0))
        return counted

    def _renew(self) -> None:
        prior, least = self._prior, self._settings.least_share
        base, slope, *bend = self._prefill.coefficients.tolist()
        decode = self._decode.coefficients.tolist()
        self._law = replace(
            prior,
            prefill_floor=self._floor,
            prefill_base=max(base, least * prior.prefill_base) if prior.prefill_base > 0 else base,
            prefill_per_token=max(slope, least * prior.prefill_per_token),
            prefill_per_token_beyond_knee=max(0.0, bend[0]) if bend else 0.0,
            decode_base=max(decode[0], least * prior.decode_base),
            decode_per_sequence=max(decode[1], least * prior.decode_per_sequence),
            decode_per_token=max(decode[2], least * prior.decode_per_token),
        )


def _range(values: Sequence[float]) -> tuple[float, float]:
    return (min(values), max(values)) if values else (0.0, 0.0)


def _check(seconds: float, *sizes: float) -> None:
    possible = all(math.isfinite(size) and size >= 1 for size in sizes)
    if not possible or not (math.isfinite(seconds) and seconds > 0):
        raise InvalidInput("iteration", f"{sizes} in {seconds} seconds cannot be")
