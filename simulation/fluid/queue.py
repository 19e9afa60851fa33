"""What waits for replicas, as the fluid holds it: requests and their tokens per origin and tier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulation.columns import Floats
from simulation.fluid.gateways import Counts, Split
from simulation.fluid.promises import Promises
from simulation.fluid.service import MINUTE_SECONDS, Served


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """(R, M, K, O) requests that wait, and their tokens; fractions of requests are fine here."""

    requests: Floats
    input_tokens: Floats
    output_tokens: Floats

    @classmethod
    def empty(cls, shape: tuple[int, int, int, int]) -> Queue:
        """Nobody waits."""
        return cls(
            requests=np.zeros(shape), input_tokens=np.zeros(shape), output_tokens=np.zeros(shape)
        )

    def joined_by(self, split: Split) -> Queue:
        """The queue once a minute's arrivals have joined."""
        return Queue(
            requests=self.requests + split.offered,
            input_tokens=self.input_tokens + split.input_tokens,
            output_tokens=self.output_tokens + split.output_tokens,
        )

    def mean_tokens(self, promises: Promises) -> tuple[Floats, Floats]:
        """(R, M, K) mean prompt and output; the catalogue's assumption where nobody waits."""
        requests = self.requests.sum(axis=-1)
        means = (
            np.where(requests > 0, tokens.sum(axis=-1) / np.maximum(requests, 1e-12), assumed)
            for tokens, assumed in (
                (self.input_tokens, promises.assumed_input),
                (self.output_tokens, promises.assumed_output),
            )
        )
        prompt, output = (np.maximum(mean, 1.0) for mean in means)
        return prompt, output

    def after(self, served: Served) -> Queue:
        """What is left once these requests started; a tier's origins start in proportion."""
        wanted = self.requests.sum(axis=-1)
        stays = 1 - np.minimum(1.0, served.requests / np.maximum(wanted, 1e-12))
        stays = np.where(stays < 1e-9, 0.0, stays)[..., None]
        return self._times(np.broadcast_to(stays, self.requests.shape))

    def impatient(self, arrived: Counts, served: Served, promises: Promises) -> Counts:
        """Whole requests of this minute's arrivals that would queue for longer than they would wait."""
        limit = promises.patience * served.alone / MINUTE_SECONDS
        excess = np.maximum(0.0, self.requests.sum(axis=-1) - limit)
        newcomers = np.minimum(arrived, self.requests)
        share = np.minimum(1.0, excess / np.maximum(newcomers.sum(axis=-1), 1e-12))
        leaving: Counts = np.floor(newcomers * share[..., None]).astype(np.int64)
        return leaving

    def without(self, requests: Counts) -> Queue:
        """The queue once these gave up."""
        return self._times(1 - requests / np.maximum(self.requests, 1e-12))

    def _times(self, stays: Floats) -> Queue:
        stays = np.clip(stays, 0.0, 1.0)
        return Queue(
            requests=self.requests * stays,
            input_tokens=self.input_tokens * stays,
            output_tokens=self.output_tokens * stays,
        )
