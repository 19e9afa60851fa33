"""Where runs are carried out: in this process, in worker processes, or on a Ray cluster."""

from __future__ import annotations

from simulation.experiments.executors.choosing import EXECUTORS, make_executor
from simulation.experiments.executors.port import Executor, TellOf

__all__ = ["EXECUTORS", "Executor", "TellOf", "make_executor"]
