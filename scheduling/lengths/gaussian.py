"""A Gaussian of output lengths per task, from the requests of that task that ended.

The annealing scheduler (arXiv 2504.14966) draws lengths of a task (chat, code) from such a Gaussian; a
task is whatever the caller tells apart, by name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from heliostat.errors import InvalidInput
from scheduling.lengths.prediction import MOST_OUTPUT_TOKENS, LengthPrediction


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moments:
    """Welford's sums (Technometrics 4, 1962)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def with_one(self, value: float) -> _Moments:
        count = self.count + 1
        mean = self.mean + (value - self.mean) / count
        return _Moments(
            count=count, mean=mean, squares=self.squares + (value - self.mean) * (value - mean)
        )


class TaskLengths:
    """Per task mean and deviation of all that was observed."""

    def __init__(self, prior: LengthPrediction) -> None:
        """`prior`: of a task of which fewer than two requests ended."""
        self._prior = prior
        self._tasks: dict[str, _Moments] = {}

    def predict(self, task: str) -> LengthPrediction:
        """The task's Gaussian, with the prior's quantile of it."""
        moments = self._tasks.get(task, _Moments())
        if moments.count < 2:
            return self._prior
        deviation = math.sqrt(moments.squares / (moments.count - 1))
        quantile = self._prior.quantile
        high = moments.mean + deviation * NormalDist().inv_cdf(quantile)
        return LengthPrediction(
            mean_tokens=moments.mean,
            deviation_tokens=deviation,
            high_tokens=min(max(moments.mean, high), MOST_OUTPUT_TOKENS),
            quantile=quantile,
        )

    def observe(self, task: str, output_tokens: int) -> None:
        """A request of the task ended after so many tokens. Raises InvalidInput for what is no length."""
        if not 1 <= output_tokens <= MOST_OUTPUT_TOKENS:
            raise InvalidInput("output_tokens", f"{output_tokens} is not a valid length")
        self._tasks[task] = self._tasks.get(task, _Moments()).with_one(output_tokens)
