"""What names a run, and how finished runs are kept and found again."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heliostat.errors import InvalidInput
from simulation.experiments.fingerprint import code_fingerprint
from simulation.experiments.folder import RunFolder
from simulation.experiments.result import (
    DecisionRecord,
    PoolRecord,
    Record,
    RunResult,
    TierRecord,
)
from simulation.experiments.spec import PolicySpec, SceneRef
from tests.simulation.experiments.little import REACTIVE, a_failure, a_result, a_spec

SCENE = SceneRef(name="day", digest="abc")
SPEC = a_spec(SCENE)


def a_record() -> Record:
    return Record(
        start=0,
        step_seconds=300,
        pools={"east/alpha/small": PoolRecord(gpus=8, busy=(1.5,), ready=(2.0,), overhead=(0.0,))},
        tiers={"batch": TierRecord(offered=(3,), shed=(0,), judged=(3.0,), met=(2.5,))},
        decisions=(DecisionRecord(at=60, pool="p", target=2, before=1, reason="more"),),
    )


@pytest.mark.parametrize(
    "change",
    [
        {"scene": replace(SCENE, digest="other")},
        {"policy": replace(REACTIVE, policy="heliostat")},
        {"policy": replace(REACTIVE, router="nearest")},
        {"policy": replace(REACTIVE, guardrails=(("largest_step_in", 1.0),))},
        {"headroom": 0.51},
        {"seed": 2},
        {"recorded": True},
    ],
)
def test_whatever_determines_a_run_changes_its_key(change: dict[str, Any]) -> None:
    assert replace(SPEC, **change).key("code") != SPEC.key("code")


def test_other_code_is_another_key_and_the_same_code_the_same() -> None:
    assert SPEC.key("one") != SPEC.key("other")
    assert code_fingerprint() == code_fingerprint()


def test_what_a_report_calls_a_policy_and_where_a_file_lies_do_not_matter() -> None:
    renamed = replace(SPEC, policy=replace(REACTIVE, name="ours"), scene=replace(SCENE, path="/x"))
    assert renamed.key("code") == SPEC.key("code")


@pytest.mark.parametrize("headroom", [-1.0, float("nan"), float("inf")])
def test_a_headroom_that_is_none_is_refused(headroom: float) -> None:
    with pytest.raises(InvalidInput, match="headroom"):
        a_spec(SCENE, headroom=headroom)


def test_an_engine_that_nobody_built_and_a_negative_seed_are_refused() -> None:
    with pytest.raises(InvalidInput, match="fluid"):
        a_spec(SCENE, engine="steam")
    with pytest.raises(InvalidInput, match="seed"):
        a_spec(SCENE, seed=-1)


@pytest.mark.parametrize("name", ["", "a/b", "x" * 65, "<b>", "a\nb"])
def test_a_name_that_would_break_a_report_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="name"):
        PolicySpec(name=name, policy="reactive")


def folder(path: Path | None) -> RunFolder:
    return RunFolder(path=path, code="code")


@pytest.mark.parametrize(
    "outcome",
    [
        a_result(missing=None),
        a_failure(),
        replace(a_result(), record=a_record(), latencies={"ttft/batch": {-3: 2, 7: 1}}),
    ],
)
def test_what_is_kept_is_found_again_as_it_was(tmp_path: Path, outcome: RunResult) -> None:
    folder(tmp_path).keep(SPEC, outcome)
    again = folder(tmp_path)
    assert again.find(SPEC) == outcome
    assert again.corrupt == []
    assert again.count() == 1


def test_another_run_is_not_found(tmp_path: Path) -> None:
    folder(tmp_path).keep(SPEC, a_result())
    assert folder(tmp_path).find(replace(SPEC, seed=2)) is None
    assert RunFolder(path=tmp_path, code="newer").find(SPEC) is None


def test_a_row_copied_under_another_name_is_no_outcome_of_that_run(tmp_path: Path) -> None:
    folder(tmp_path).keep(SPEC, a_result())
    other = replace(SPEC, seed=2)
    copied = tmp_path / "runs" / f"{other.key('code')}.json"
    copied.write_text(the_file(tmp_path).read_text("utf-8"), "utf-8")
    again = folder(tmp_path)
    assert again.find(other) is None
    assert "another run" in again.corrupt[0]


def the_file(path: Path) -> Path:
    (file,) = (path / "runs").iterdir()
    return file


def test_half_a_file_is_no_result_and_is_said(tmp_path: Path) -> None:
    folder(tmp_path).keep(SPEC, a_result())
    file = the_file(tmp_path)
    file.write_bytes(file.read_bytes()[:100])
    again = folder(tmp_path)
    assert again.find(SPEC) is None
    (said,) = again.corrupt
    assert file.name in said
    assert "reactive at headroom 0.5, seed 1" in said


def test_a_number_that_was_changed_is_noticed(tmp_path: Path) -> None:
    folder(tmp_path).keep(SPEC, a_result(billed=100.0))
    file = the_file(tmp_path)
    file.write_text(file.read_text().replace("100.0", "90.0"))
    again = folder(tmp_path)
    assert again.find(SPEC) is None
    assert "digest" in again.corrupt[0]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"digest": 1, "outcome": 2}', "[" * 100_000])
def test_any_rubbish_is_corrupt_and_can_be_written_over(tmp_path: Path, content: str) -> None:
    keeper = folder(tmp_path)
    keeper.keep(SPEC, a_result())
    the_file(tmp_path).write_text(content)
    assert keeper.find(SPEC) is None
    keeper.keep(SPEC, a_result())
    assert keeper.find(SPEC) == a_result()


def test_nothing_half_written_stays_beside_the_files(tmp_path: Path) -> None:
    folder(tmp_path).keep(SPEC, a_result())
    assert the_file(tmp_path).suffix == ".json"
    assert json.loads(the_file(tmp_path).read_text())["spec"]["seed"] == 1


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    nowhere = folder(None)
    nowhere.keep(SPEC, a_result())
    assert nowhere.find(SPEC) is None
    assert nowhere.count() == 0


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="file"):
        folder(tmp_path / "file")
