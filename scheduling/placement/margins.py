"""What best fit leaves unused, in addition to the laws' error."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from heliostat.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """`memory_share`: θ, the share of KV memory that predicted peaks may fill (the paper has such a
    factor, 0.95 is ours); `time`: seconds by the laws are taken this share longer; `foresight`: of the
    tokens that a request is expected to generate still, the share that may make up for a stall (1, the
    paper's, breaks promises to those who end sooner than the mean; 0 heeds only what was saved so far).
    `spread_beyond`: a request whose promised gap is more than so many iterations of an idle worker goes
    to the emptiest worker that fits, others to the fullest; never, as published, by default. Under lax
    promises spreading keeps more of them, and packing frees nothing where somebody else decides the
    fleet's size; under strict ones packing leaves workers on which a prefill stalls nobody."""

    memory_share: float = 0.95
    time: float = 0.0
    foresight: float = 1.0
    spread_beyond: float = math.inf

    def __post_init__(self) -> None:
        if (
            not 0 < self.memory_share <= 1
            or not 0 <= self.time < 10
            or not 0 <= self.foresight <= 1
            or not self.spread_beyond >= 0
        ):
            raise InvalidInput("margins", f"{self} is out of range")


CAREFUL = Margins(foresight=0.1)
"""Stalls are set against what was saved so far and a tenth of what is expected still, since half of all
requests end sooner than the mean."""
HOUSE = replace(CAREFUL, spread_beyond=1.5)
"""Ours, in the agent as in the simulator and where replicas are counted: careful, and what was promised
more than one and a half idle iterations a token is spread over the workers that fit: below that packing
needs fewer, above it spreading does (`docs/evidence/aladdin.md`, docs/decisions/0022)."""
