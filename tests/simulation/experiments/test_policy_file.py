"""Who decides, from names and YAML files."""

from pathlib import Path

import pytest
import yaml

from heliostat.errors import InvalidInput
from simulation.experiments.policy_file import policies_asked, read_policy
from simulation.experiments.spec import PolicySpec

PAGE = (Path(__file__).parents[3] / "docs" / "experiments.md").read_text("utf-8")


def a_file(folder: Path, text: str, name: str = "careful.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_names_come_by_commas_and_by_repeating() -> None:
    asked = policies_asked(["heliostat, reactive", "keda", ""])
    assert [policy.policy for policy in asked] == ["heliostat", "reactive", "keda"]


def test_a_forecaster_is_for_all_that_do_not_name_their_own(tmp_path: Path) -> None:
    own = a_file(tmp_path, "policy: heliostat\nforecaster: naive\n")
    first, second = policies_asked(["heliostat", str(own)], forecaster="oracle")
    assert (first.forecaster, second.forecaster) == ("oracle", "naive")


def test_a_file_says_everything(tmp_path: Path) -> None:
    path = a_file(
        tmp_path,
        "name: ours\npolicy: heliostat\nheadroom: 0.3\nforecaster: naive\nrouter: nearest\n"
        "order: edf\ndispatch: pack\nprefill: chunks\nbatch_size: 64\nlends: true\n"
        "guardrails: {largest_step_out: 5, cool_down_seconds: 60}\n",
    )
    assert read_policy(path) == PolicySpec(
        name="ours",
        policy="heliostat",
        headroom=0.3,
        forecaster="naive",
        router="nearest",
        order="edf",
        dispatch="pack",
        prefill="chunks",
        batch_size=64,
        lends=True,
        guardrails=(("cool_down_seconds", 60.0), ("largest_step_out", 5.0)),
    )


def test_the_documented_example_is_such_a_file_and_shows_every_key(tmp_path: Path) -> None:
    example = PAGE.split("## Policy files")[1].split("```yaml\n")[1].split("```")[0]
    read = read_policy(a_file(tmp_path, example, "example.yaml"))
    assert (read.name, read.policy, read.headroom) == ("careful", "heliostat", 0.3)
    with pytest.raises(InvalidInput, match="known are") as refused:
        read_policy(a_file(tmp_path, "polciy: keda"))
    _, _, known = str(refused.value).partition("known are ")
    assert set(yaml.safe_load(example)) == set(known.split(", "))


def test_a_file_may_say_next_to_nothing(tmp_path: Path) -> None:
    assert read_policy(a_file(tmp_path, "policy: keda\n")) == PolicySpec(
        name="careful", policy="keda"
    )
    assert read_policy(a_file(tmp_path, "name: keda\n")).policy == "keda"
    assert read_policy(a_file(tmp_path, "", "reactive.yaml")).policy == "reactive"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("polciy: keda", "polciy.*known are"),
        ("policy: [a]", "policy"),
        ("headroom: much", "headroom"),
        ("batch_size: 0", "batch_size.*1 or more"),
        ("batch_size: true", "batch_size"),
        ("headroom: -1", r"careful\.yaml: headroom: "),
        ("headroom: true", "headroom"),
        ("lends: 3", "lends"),
        ("guardrails: 3", "guardrails"),
        ("guardrails: {largest_step_in: few}", "largest_step_in"),
        ("headroom: .nan", "p.*yaml: headroom: nan is out of range"),
        ("headroom: 1" + "0" * 400, "headroom.*out of range"),
        ("guardrails: {largest_step_in: .inf}", "largest_step_in.*out of range"),
        ("guardrails: {largest_step_in: 1.5}", "largest_step_in: 1.5 is not a valid limit"),
        ("guardrails: {cool_down_seconds: -1}", "cool_down_seconds: -1 is not a valid limit"),
        ("guardrails: {stale_after_seconds: .nan}", "stale_after_seconds.*out of range"),
        ("name: a/b", r"careful\.yaml: name: 'a/b' is not a valid policy name"),
        ("policy: kedda", r"careful\.yaml: policy: 'kedda' is unknown; known are siloed, .*keda"),
        ("policy: keda\norder: edff", r"careful\.yaml: order: 'edff' is unknown; known are fcfs, "),
        ("policy: keda\ndispatch: x", r"careful\.yaml: dispatch: 'x' is unknown; known are "),
        ("policy: keda\nprefill: x", r"careful\.yaml: prefill: 'x' is unknown; known are "),
        ("policy: keda\nrouter: x", r"careful\.yaml: router: 'x' is unknown; known are "),
        ("policy: keda\nforecaster: x", r"careful\.yaml: forecaster: 'x' is unknown; known are "),
        (
            "policy: keda\nguardrails: {largest_step: 1}",
            r"careful\.yaml: guardrails\.largest_step: is unknown; known are largest_step_out, ",
        ),
        (
            "headroom: 0.3",
            r"careful\.yaml: has neither `policy` nor `name`, and no policy is named 'careful'",
        ),
        (
            "name: ours",
            r"careful\.yaml: has no `policy`, and no policy is named 'ours'; policies are siloed",
        ),
        ("- a", "mapping"),
        ("name: x\nname: y", "twice"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_by_key(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(InvalidInput, match=word):
        read_policy(a_file(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nobody\.yaml"):
        policies_asked([str(tmp_path / "nobody.yaml")])
