"""What the demo's parts warn of is said in words, once a kind, and counted."""

from __future__ import annotations

import logging

from services.demo.heard import hearing
from services.log_events import say

LOG = logging.getLogger("heliostat.of.this.test")


def test_a_warning_is_said_once_with_its_figures_and_its_likes_are_counted() -> None:
    said: list[str] = []
    with hearing(said.append):
        for model in ("llama2-70b", "bloom-176b", "bloom-176b"):
            say(LOG, "basis_changed", level=logging.WARNING, model=model, ready_replicas=3)
        say(LOG, "basis_changed", level=logging.INFO, model="unheard", ready_replicas=0)
        assert said == ["Warning: basis_changed (model llama2-70b, ready replicas 3)."]
    assert said[1:] == ["Warning: basis_changed: 3 times in all."]


def test_every_error_is_said_with_its_traceback() -> None:
    said: list[str] = []
    with hearing(said.append):
        for number in range(2):
            try:
                raise ValueError(f"broken {number}")
            except ValueError:
                LOG.exception("loop_broke")
    assert said[0].startswith("Error: loop_broke.\nTraceback")
    assert said[0].endswith("ValueError: broken 0")
    assert said[1].endswith("ValueError: broken 1")


def test_nothing_is_heard_after_the_block() -> None:
    said: list[str] = []
    with hearing(said.append):
        pass
    LOG.warning("late")
    assert said == []
