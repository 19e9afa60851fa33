"""The base of everything that a scenario file may say."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

MOST_HOURS = 24 * 366
"""A year: nothing in a scenario lasts or begins later."""


class Part(BaseModel):
    """A mapping in which every key is known."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
