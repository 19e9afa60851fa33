"""Scenario files for tests: a small fleet, a short run, little demand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.builders import catalogue_mapping


def spec_mapping(**changes: Any) -> dict[str, Any]:
    """A day of the small catalogue at half a busy replica, with a day of history."""
    return {
        "version": 1,
        "name": "little",
        "catalogue": "fleet.yaml",
        "begins": "2026-02-06T00:00Z",
        "days": 1,
        "history_days": 1,
        "demand": {"kind": "published", "busy_replicas": 0.5},
    } | changes


def spec_file(folder: Path, mapping: dict[str, Any] | None = None, **changes: Any) -> Path:
    """The mapping as a file, with its fleet beside it."""
    (folder / "fleet.yaml").write_text(yaml.safe_dump(catalogue_mapping()), "utf-8")
    path = folder / "little.yaml"
    path.write_text(yaml.safe_dump(mapping or spec_mapping(**changes), sort_keys=False), "utf-8")
    return path


def text_spec(folder: Path, text: str) -> Path:
    """A file of that text, with its fleet beside it."""
    path = spec_file(folder)
    path.write_text(text, "utf-8")
    return path
