"""What `simulate` and `backtest` share: from what was typed to an experiment, and its findings shown."""

from __future__ import annotations

from pathlib import Path

from heliostat.errors import InvalidInput, InvalidPolicyOutput
from services.cli.asked import Asked
from services.cli.findings import show_findings
from services.cli.output import Output
from services.cli.run_bars import run_bars
from simulation.experiments.conducting import conduct
from simulation.experiments.executors import make_executor
from simulation.experiments.experiment import Experiment, Findings
from simulation.experiments.folder import RunFolder
from simulation.experiments.laboratory import Laboratory
from simulation.experiments.policy_file import policies_asked
from simulation.experiments.spec import SceneRef
from simulation.experiments.sweep import Sweep
from simulation.reports.document import document

SWEEP = "sweep"
RIVALS = ("heliostat", "reactive")
"""Compared where nobody is named."""


def compare(out: Output, scene: SceneRef, asked: Asked) -> None:
    """Conduct the experiment, write and show what it found.

    Raises InvalidInput, WorkersUnavailable, and InvalidPolicyOutput when a policy failed, after the
    findings of the others were written.
    """
    experiment = Experiment(
        scene=scene,
        policies=policies_asked(asked.policies or RIVALS, forecaster=asked.forecaster),
        seeds=tuple(range(1, asked.seeds + 1)),
        headroom=_headroom(asked.headroom),
        attainment=asked.attainment,
        cheapest_in=asked.cheapest,
        engine=asked.engine,
        bounds=asked.bounds,
    )
    for path in (asked.json_file, asked.html):
        _check_place(path)
    findings, found = _conducted(out, experiment, asked)
    _write(out, findings, asked)
    if str(asked.json_file) != "-":
        show_findings(out, findings, found=found)
    _say_failures(findings)


def _headroom(text: str) -> Sweep | float:
    if text == SWEEP:
        return Sweep()
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(
            "--headroom", f"{text!r} is no headroom", remedy="write sweep, or a number such as 0.25"
        ) from None


def _check_place(path: Path | None) -> None:
    """A report that cannot be written is said before the hours of running, not after."""
    if path is not None and str(path) != "-" and not path.absolute().parent.is_dir():
        raise InvalidInput(str(path), "its folder does not exist")


def _conducted(out: Output, experiment: Experiment, asked: Asked) -> tuple[Findings, int]:
    folder = RunFolder(path=asked.resume)
    before = folder.count()
    executor = make_executor(asked.executor, asked.runs_at_once, asked.engine)
    try:
        with run_bars() as bars:
            laboratory = Laboratory(executor, folder, bars)
            findings = conduct(experiment, laboratory)
    except KeyboardInterrupt:
        kept = f"is kept in {asked.resume}" if asked.resume else "is lost; --resume keeps it"
        out.note(f"What was finished {kept}.")
        raise
    finally:
        executor.close()
    for said in folder.corrupt:
        out.note(f"{said}; it was run again.")
    if before and not laboratory.found:
        out.note(f"None of the {before} runs in {asked.resume} was made by this code for this.")
    return findings, laboratory.found


def _write(out: Output, findings: Findings, asked: Asked) -> None:
    if asked.json_file is not None:
        out.json_to(asked.json_file, document(findings))
    if asked.html is not None:
        from simulation.reports.page import page

        try:
            asked.html.write_text(page(findings), "utf-8")
        except OSError as error:
            raise InvalidInput(
                "--html", f"{asked.html} cannot be written: {error.strerror}"
            ) from error


def _say_failures(findings: Findings) -> None:
    failed = [
        (one.policy.name, failure) for one in findings.contests for _, _, failure in one.failures
    ]
    if failed:
        (name, first), others = failed[0], len(failed) - 1
        more = f" (and {others} more runs)" if others else ""
        raise InvalidPolicyOutput(
            f"policy {name} at {first.at}", f"{first.error}, in {first.where}{more}"
        )
