"""Measured traces and profiles, where they stand beside the checkout (`HELIOSTAT_DATA`)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_DATA = os.environ.get("HELIOSTAT_DATA", "")


def data_folder() -> Path | None:
    """Where they stand; None where they do not."""
    return Path(_DATA) if _DATA else None


def measured(name: str) -> Path:
    """One of its files or folders, in a test that `needs_data`."""
    return Path(_DATA) / name


def needs_data(left_out: str) -> pytest.MarkDecorator:
    """Skips aloud without them, saying what nobody looked at."""
    return pytest.mark.skipif(
        not _DATA, reason=f"NOT TESTED: HELIOSTAT_DATA is not set: {left_out}"
    )
