"""How fast the machine was is sampled beside whatever is measured."""

from __future__ import annotations

import pytest

from benchmarks.pace import pace


def test_there_is_a_sample_however_short_it_took() -> None:
    with pace() as samples:
        pass
    assert samples
    assert min(samples) > 0


def test_what_went_wrong_inside_goes_on() -> None:
    with pytest.raises(KeyboardInterrupt), pace():
        raise KeyboardInterrupt
