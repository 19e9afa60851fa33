"""A mapping's file: merges are followed, doubled and unusable keys are refused under the file's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from heliostat.errors import InvalidSettings
from storage.mapping_file import read_mapping


def written(directory: Path, text: str) -> Path:
    path = directory / "settings.yaml"
    path.write_text(text)
    return path


def test_merged_keys_may_be_overwritten(tmp_path: Path) -> None:
    path = written(tmp_path, "base: &b {x: 1, y: 2}\nmine:\n  <<: *b\n  x: 3\n")
    assert read_mapping(path, InvalidSettings)["mine"] == {"x": 3, "y": 2}


def test_an_empty_file_is_an_empty_mapping(tmp_path: Path) -> None:
    assert read_mapping(written(tmp_path, "# nothing yet\n"), InvalidSettings) == {}


LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
"""Twelve lines that hold sixty thousand million values."""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("seed: 1\nseed: 2\n", "'seed' appears twice"),
        ("driving: {start: 1, start: 2}\n", "'start' appears twice"),
        ("? [a, b]\n: 1\n", "unhashable"),
        ("- a\n", "not a mapping"),
        ("5: x\n", "the key 5 is not text"),
        ("a: " + "[" * 5000 + "]" * 5000, "nested too deep"),
        (LAUGHS, "more than 1,000,000 values"),
        ("&a {me: *a}\n", "more than 1,000,000 values"),
        ("a: 1\nday: 2026-02-31\n", r"'2026-02-31' is not a valid timestamp.*\s.*line 2"),
        ("a: " + "9" * 5000, "is not a valid int"),
        ("a: !!int ''\n", "'' is not a valid int"),
        ("a: !!bool tea\n", "'tea' is not a valid bool"),
        ("a: !!timestamp tea\n", "'tea' is not a valid timestamp"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InvalidSettings, match=complaint) as error:
        read_mapping(path, InvalidSettings)
    assert str(path) in str(error.value)
