"""`python -m benchmarks.evidence [page …]`: runs what pages rest on, and writes them.

Killed and started again it goes on where it was: finished runs lie in build/evidence/. Pages are
written again after every stage, and say what they rest on.
"""

from __future__ import annotations

import sys

from benchmarks.evidence.adopting import LedgerFolder, adopted
from benchmarks.evidence.asking import Asked, asked_of
from benchmarks.evidence.basis import write_basis
from benchmarks.evidence.carrying import Carrier
from benchmarks.evidence.checkout import Checkout
from benchmarks.evidence.making import Maker
from benchmarks.evidence.measured import Measurements
from benchmarks.evidence.progress import Progress
from benchmarks.evidence.registry import PAGES
from benchmarks.evidence.scale import Scale
from benchmarks.evidence.writing import RESULTS, read_ledger, write_page
from heliostat.errors import HeliostatError
from simulation.experiments.executors import make_executor
from simulation.experiments.laboratory import Laboratory
from simulation.experiments.spec import EVENT


def main(arguments: list[str]) -> int:
    """Exit code 0; 1 when something was wrong, 130 when it was interrupted."""
    try:
        asked = asked_of(arguments, tuple(PAGES))
        if asked.render:
            for name in asked.pages:
                print(write_page(PAGES[name], read_ledger(name, asked.out), asked.out))
            print(write_basis(asked.out))
            return 0
        return _run(asked)
    except HeliostatError as error:
        print(f"evidence: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "evidence: interrupted; finished runs are kept, and the same command resumes",
            file=sys.stderr,
        )
        return 130


def _run(asked: Asked) -> int:
    checkout = Checkout.now()
    folder = LedgerFolder(
        path=asked.runs,
        code=checkout.code,
        adopted=adopted(asked.out, PAGES, checkout.code) if asked.adopt else {},
    )
    progress, scale = Progress(asked.workers), Scale(asked.scale)
    executor = make_executor("processes", asked.workers, EVENT)
    try:
        laboratory = Laboratory(executor, folder, progress)
        carrier = Carrier(laboratory, asked.seeds, progress, folder=folder)
        makers = [
            Maker(
                page=PAGES[name],
                carrier=carrier,
                scale=scale,
                progress=progress,
                checkout=checkout,
                measurements=Measurements(path=asked.runs, code=checkout.code),
                out=asked.out,
            )
            for name in asked.pages
        ]
        for maker in makers:
            maker.expect()
        for maker in makers:
            print(maker.make())
    finally:
        executor.close()
        if (asked.out / RESULTS).is_dir():
            write_basis(asked.out)
    for said in folder.corrupt:
        print(f"evidence: {said}; the run was repeated", file=sys.stderr)
    print(f"evidence: {progress.runs} runs, {progress.made} of them made now, "
          f"{progress.cpu_seconds / 3600:.2f} CPU hours in all", file=sys.stderr)  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
