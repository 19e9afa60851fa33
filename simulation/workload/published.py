"""What SageServe's paper and public simulator tell of a production workload, as data.

Source: Jaiswal et al., "SageServe", POMACS 9(3) 2025 (arXiv 2502.14617), figures of Microsoft 365
traffic in three US regions, and the authors' public simulator. What the source leaves open stands
under "assumed" and is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from heliostat.model.names import Tier

# --- published ----------------------------------------------------------------------------------

REGION_SHARES = (0.43, 0.29, 0.28)
"""How interactive requests fall on the three regions."""

HOUR_MULTIPLIERS_A = (
    *(0.77, 0.66, 0.60, 0.55, 0.55, 0.59, 0.57, 0.66, 0.70, 0.71, 0.64, 0.65),
    *(0.73, 0.97, 1.41, 1.52, 1.61, 1.61, 1.64, 1.65, 1.53, 1.39, 1.24, 1.03),
)
"""Hour of the trace's clock (0–23) → rate ÷ weekday mean, model A."""

HOUR_MULTIPLIERS_C = (
    *(0.83, 0.68, 0.57, 0.47, 0.40, 0.39, 0.37, 0.34, 0.34, 0.33, 0.34, 0.33),
    *(0.44, 0.79, 1.34, 1.73, 1.95, 2.03, 2.09, 2.16, 1.92, 1.71, 1.42, 1.04),
)
"""The same of model C."""

INTERACTIVE_PEAK_TO_TROUGH = (9.0, 13.0)
"""Busiest ÷ quietest hour of a weekday, interactive requests of all models and regions: from, to."""
INTERACTIVE_PERIODICITY = (0.7, 0.95)
"""How far a day of interactive requests repeats the one before, 1 = wholly: from, to."""

WEEKEND_A = 0.33
WEEKEND_C = 0.16
WEEKEND_BATCH = 0.5
"""Mean of a weekend day ÷ mean of a weekday."""

BATCH_SHARE = 0.25
"""Interactive to batch is about 3 : 1 of requests; batch has no daily shape."""

BURST_LEVELS = (0.5, 0.95, 0.99, 0.999, 1.0)
"""Levels of the burst quantiles below: of a 1-minute rate ÷ the median minute of its hour."""
BURST_A = (1.0, 1.65, 3.3, 7.6, 15.0)
BURST_C = (1.0, 1.42, 1.73, 2.4, 4.4)
BURST_A_BATCH = (1.0, 2.0, 2.8, 4.8, 8.4)
BURST_C_BATCH = (1.0, 2.7, 5.6, 18.0, 61.0)

TOKEN_LEVELS = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99)
"""Levels of the token quantiles below, tokens per request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenQuantiles:
    """Prompt and output tokens per request at TOKEN_LEVELS."""

    prompt: tuple[float, ...]
    output: tuple[float, ...]


TOKENS_A = TokenQuantiles(
    prompt=(2842, 3364, 5040, 5576, 8938, 8938, 9561, 16392),
    # The source prints "< 10" for the lowest; 9 stands for it.
    output=(9, 10, 13, 61, 147, 235, 329, 645),
)
TOKENS_B = TokenQuantiles(
    prompt=(307, 416, 527, 3252, 6826, 9000, 10000, 11703),
    output=(18, 33, 75, 85, 105, 173, 251, 1144),
)
TOKENS_C = TokenQuantiles(
    prompt=(603, 935, 1449, 3598, 5965, 10578, 17535, 34402),
    output=(11, 19, 50, 112, 307, 667, 845, 1773),
)
TOKENS_D = TokenQuantiles(
    prompt=(967, 1266, 2322, 4405, 8355, 15324, 21464, 51546),
    output=(8, 23, 61, 147, 352, 845, 1550, 4405),
)

# --- assumed ------------------------------------------------------------------------------------

TRACE_CLOCK_HOURS_AHEAD = 6.0
"""Trace hours look like UTC hours of users in the middle of the US: hour 14 is 8 in the morning."""

FAST_SHARE_OF_INTERACTIVE = 0.6
"""The source says only that interactive-fast is the largest tier."""

BURST_LOWEST = 0.6
"""The quietest minute ÷ the median minute; the source prints the upper half only."""

DAY_SIGMA = 0.06
HOUR_SIGMA = 0.08
"""Spread of whole days and of hours round the mean shape (log scale), so that no day repeats
another and no forecaster can know it by heart."""

TIER_SHARES = MappingProxyType(
    {
        Tier.INTERACTIVE_FAST: (1 - BATCH_SHARE) * FAST_SHARE_OF_INTERACTIVE,
        Tier.INTERACTIVE_NORMAL: (1 - BATCH_SHARE) * (1 - FAST_SHARE_OF_INTERACTIVE),
        Tier.BATCH: BATCH_SHARE,
    }
)
"""Share of a model's requests in each tier."""


# --- put together -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """How one model's traffic looks: its day, its weekend, its bursts and its requests' lengths."""

    label: str
    hour_multipliers: tuple[float, ...]
    weekend: float
    burst: tuple[float, ...]
    batch_burst: tuple[float, ...]
    tokens: TokenQuantiles


def _like_a(label: str, tokens: TokenQuantiles) -> ModelShape:
    return ModelShape(
        label=label,
        hour_multipliers=HOUR_MULTIPLIERS_A,
        weekend=WEEKEND_A,
        burst=BURST_A,
        batch_burst=BURST_A_BATCH,
        tokens=tokens,
    )


def _like_c(label: str, tokens: TokenQuantiles) -> ModelShape:
    return ModelShape(
        label=label,
        hour_multipliers=HOUR_MULTIPLIERS_C,
        weekend=WEEKEND_C,
        burst=BURST_C,
        batch_burst=BURST_C_BATCH,
        tokens=tokens,
    )


MODEL_SHAPES = (
    _like_a("A", TOKENS_A),
    _like_a("B (the day of A)", TOKENS_B),
    _like_c("C", TOKENS_C),
    _like_c("D (the day of C)", TOKENS_D),
)
"""Lengths are published for A to D, the shape of the day for A and C only."""


def model_shape(index: int) -> ModelShape:
    """The shape of a catalogue's `index`-th model; a fifth model looks like the first again."""
    return MODEL_SHAPES[index % len(MODEL_SHAPES)]


def region_shares(regions: int) -> tuple[float, ...]:
    """How requests fall on that many regions: the published shares in order, repeated if needed."""
    shares = [REGION_SHARES[i % len(REGION_SHARES)] for i in range(regions)]
    return tuple(share / sum(shares) for share in shares)
