"""The catalogue file: what it says is read, what is wrong is named with file and key."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from heliostat.errors import InvalidCatalogue
from storage.catalogue_file import read_catalogue
from tests.builders import a_catalogue, catalogue_mapping


def written(directory: Path, text: str) -> Path:
    path = directory / "fleet.yaml"
    path.write_text(text)
    return path


def complaint(directory: Path, text: str) -> str:
    path = written(directory, text)
    with pytest.raises(InvalidCatalogue) as error:
        read_catalogue(path)
    assert str(path) in str(error.value)
    return str(error.value)


def test_a_good_file_is_the_catalogue(tmp_path: Path) -> None:
    assert (
        read_catalogue(written(tmp_path, yaml.dump(catalogue_mapping(), sort_keys=False)))
        == a_catalogue()
    )


def test_a_wrong_value_is_named_by_file_and_key(tmp_path: Path) -> None:
    mapping = catalogue_mapping()
    del mapping["regions"]
    assert "regions: is missing" in complaint(tmp_path, yaml.dump(mapping))


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    assert "'regions' appears twice" in complaint(tmp_path, "regions: 1\nregions: 2\n")


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "a: [", "a: \x00"])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    complaint(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidCatalogue, match=r"nowhere\.yaml: cannot be read"):
        read_catalogue(tmp_path / "nowhere.yaml")


def test_a_file_that_is_not_there_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidCatalogue, match=r"file not found; give .* with --catalogue"):
        read_catalogue(tmp_path / "none.yaml")


@pytest.mark.parametrize("name", ["x" * 300, "."])
def test_a_file_that_cannot_be_read_for_another_reason_says_which(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(InvalidCatalogue, match=r"cannot be read: (File name too long|Is a dir)"):
        read_catalogue(tmp_path / name)
