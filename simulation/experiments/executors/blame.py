"""What went wrong with a run and was no policy's fault, in words: not every error survives a pipe."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from heliostat.errors import HeliostatError, InvalidInput
from simulation.experiments.result import Outcome
from simulation.experiments.simulate import Tell, simulate
from simulation.experiments.spec import RunSpec


@dataclass(frozen=True, slots=True)
class Blame:
    """`ours` = a fault of ours, with its traceback; else the experiment asked for what cannot be."""

    ours: bool
    message: str

    def error(self, spec: RunSpec | None) -> Exception:
        """What to raise where the run was asked for."""
        if self.ours:
            return RuntimeError(f"{spec}: {self.message}")
        return InvalidInput(str(spec), self.message)


def simulate_or_blame(spec: RunSpec, tell: Tell) -> Outcome | Blame:
    """Simulates a run in a worker. Raises OSError when nobody hears the worker any more."""
    try:
        return simulate(spec, tell)
    except OSError:
        raise
    except HeliostatError as error:
        return Blame(False, str(error))
    except Exception:  # noqa: BLE001 - a fault of ours must reach the caller in words, not end the worker
        return Blame(True, traceback.format_exc())
