"""Shared by `simulate` and `backtest`: builds the experiment from options and shows its results."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryFile

from heliostat.errors import InvalidInput, InvalidPolicyOutput
from services.cli.asked import Asked
from services.cli.findings import show_findings
from services.cli.output import Output
from services.cli.run_bars import run_bars
from services.cli.stopping import ended_by_sigterm_too
from simulation.experiments.ceilings import ORACLE
from simulation.experiments.conducting import conduct, first_runs
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
"""Compared if no policy is given."""


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
    _check_place("--json", asked.json_file)
    if str(asked.html) == "-":
        raise InvalidInput(
            "--html", "a page must be written to a file", remedy="name one, such as page.html"
        )
    _check_place("--html", asked.html)
    findings, found = _conducted(out, experiment, asked)
    unwritten = _write(out, findings, asked)
    if str(asked.json_file) != "-":
        show_findings(out, findings, found=found)
    for error in unwritten:
        raise error
    _say_failures(findings)


def _headroom(text: str) -> Sweep | float:
    if text == SWEEP:
        return Sweep()
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(
            "--headroom",
            f"{text!r} is not a valid headroom",
            remedy="use sweep, or a number such as 0.25",
        ) from None


def _check_place(option: str, path: Path | None) -> None:
    """Checks before the runs, not after, that the report can be written."""
    if path is None or str(path) == "-":
        return
    if path.is_dir():
        raise InvalidInput(option, f"{path} is a folder", remedy="name a file in it")
    folder = path.resolve().parent
    if not folder.is_dir():
        raise InvalidInput(option, f"{path}: its folder does not exist")
    if path.exists() and not path.is_file():
        return  # a device or a pipe
    try:
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InvalidInput(
            option, f"no file can be written to {folder}: {error.strerror}"
        ) from error


def _conducted(out: Output, experiment: Experiment, asked: Asked) -> tuple[Findings, int]:
    folder = RunFolder(path=asked.resume)
    _announce(out, experiment, folder)
    executor = make_executor(asked.executor, asked.runs_at_once, asked.engine)
    try:
        with run_bars() as bars, ended_by_sigterm_too():
            laboratory = Laboratory(executor, folder, bars)
            findings = conduct(experiment, laboratory)
    except KeyboardInterrupt:
        kept = f"are kept in {asked.resume}" if asked.resume else "are lost; --resume keeps them"
        out.note(f"Finished runs {kept}.")
        raise
    finally:
        executor.close()
    for said in folder.corrupt:
        out.note(f"{said}; the run was repeated.")
    return findings, laboratory.found


def _announce(out: Output, experiment: Experiment, folder: RunFolder) -> None:
    """Prints the number of initial runs, whether they are kept, and whether any are reused."""
    runs = first_runs(experiment)
    oracle = sum(spec.policy == ORACLE for spec in runs)
    said = f"{len(runs)} initial runs"
    if oracle:
        said += f", {oracle} of them for the causal oracle (--no-bounds skips bounds)"
    if isinstance(experiment.headroom, Sweep):
        said += "; sweeps add a few more"
    if folder.path is None:
        out.note(f"{said}. --resume FOLDER would keep finished runs.")
        return
    out.note(f"{said}.")
    before = folder.count()
    if before and not any(folder.holds(spec) for spec in runs):
        out.note(
            f"None of the {before} runs in {folder.path} matches this code and experiment; all are run again."
        )


def _write(out: Output, findings: Findings, asked: Asked) -> list[InvalidInput]:
    """Writes both reports independently; gives the errors."""
    unwritten: list[InvalidInput] = []
    if asked.json_file is not None:
        try:
            out.json_to(asked.json_file, document(findings))
        except InvalidInput as error:
            unwritten.append(error)
    if asked.html is not None:
        from simulation.reports.page import page

        try:
            out.text_to("--html", asked.html, page(findings))
        except InvalidInput as error:
            unwritten.append(error)
    return unwritten


def _say_failures(findings: Findings) -> None:
    failed = [
        (one.policy.name, failure) for one in findings.contests for _, _, failure in one.failures
    ]
    if failed:
        (name, first), others = failed[0], len(failed) - 1
        more = f" (and {others} more {'run' if others == 1 else 'runs'})" if others else ""
        raise InvalidPolicyOutput(
            f"policy {name} at {first.at}", f"{first.error}, in {first.where}{more}"
        )
