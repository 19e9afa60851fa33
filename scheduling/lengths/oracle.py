"""An oracle for request lengths with a configurable error; for experiments."""

from __future__ import annotations

from heliostat.errors import InvalidInput
from scheduling.lengths.prediction import MOST_OUTPUT_TOKENS, LengthPrediction


def oracle(output_tokens: int, *, error: float = 0.0, draw: float = 0.5) -> LengthPrediction:
    """The true length, times a factor drawn evenly from [1 − error, 1 + error].

    `draw` in [0, 1) is the chance, an argument as everywhere. Raises InvalidInput for an error outside
    [0, 1], or a length that is none.
    """
    if not 0 <= error <= 1 or not 0 <= draw < 1:
        raise InvalidInput("oracle", f"error {error}, draw {draw}: out of range")
    if not 1 <= output_tokens <= MOST_OUTPUT_TOKENS:
        raise InvalidInput("output_tokens", f"{output_tokens} is not a valid length")
    said = max(1.0, output_tokens * (1.0 + error * (2.0 * draw - 1.0)))
    return LengthPrediction.exactly(min(said, MOST_OUTPUT_TOKENS))
