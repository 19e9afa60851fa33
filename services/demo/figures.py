"""The figures of a finished demo: counted where things are kept, not from what the demo believes."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from heliostat.errors import Unavailable
from heliostat.model.command import CommandState
from heliostat.model.instants import Span
from heliostat.model.usage import UsageQuery
from heliostat.ports.stores import Stores
from services.dashboard.picture import DispatchDay
from services.demo.marks import Mark
from services.demo.settings import STDOUT

_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Tables published, one per origin whose routes changed, and what the agents said of them."""

    versions: int
    acks: int
    nacks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """One figure of both policies; None where nothing was judged."""

    heliostat: float | None
    reactive: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What `--json` writes."""

    usage_windows: int
    forecasts: int
    plans: int
    commands: dict[str, int]
    routing: Routing
    dispatch: DispatchDay
    gpu_hours_billed: Both
    slo_attainment: Both
    cost_dollars: Both
    input: tuple[str, ...]
    seed: int
    hours: int
    steps: int
    wall_seconds: float

    def write(self, path: Path) -> None:
        """Write them as one JSON document; - is stdout. Raises Unavailable when the disk does not let us."""
        document = json.dumps(asdict(self), indent=2) + "\n"
        if path == STDOUT:
            sys.stdout.write(document)
            sys.stdout.flush()
            return
        try:
            path.write_text(document, encoding="utf-8")
        except OSError as error:
            raise Unavailable(
                f"the figures cannot be written to {path}: {error.strerror}"
            ) from error


def usage_windows(stores: Stores, span: Span) -> int:
    """How many windows the store holds, roll-ups counted by what they were made of."""
    query = UsageQuery(span=span, bucket=timedelta(days=1), with_latency=False)
    return sum(bucket.windows for bucket in stores.usage.query(query))


def commands_by_state(stores: Stores) -> dict[str, int]:
    """How many commands stand in which state, every state named."""
    found: Counter[str] = Counter({str(state): 0 for state in CommandState})
    after = ""
    while page := stores.outbox.commands(after_id=after, limit=_PAGE):
        found.update(str(command.state) for command in page)
        after = page[-1].command_id
    return dict(found)


def plans_made(stores: Stores, span: Span) -> int:
    """How many plans were made inside the span."""
    made, after = 0, 0
    while page := stores.plans.plans(span, after_version=after, limit=_PAGE):
        made += len(page)
        after = page[-1].version
    return made


def latest_shared(ours: Sequence[Mark], theirs: Sequence[Mark]) -> tuple[Mark, Mark]:
    """Both policies' marks at the last instant that both have reached; both start with the day."""
    known = {mark.at: mark for mark in theirs}
    shared = [mark for mark in ours if mark.at in known]
    return shared[-1], known[shared[-1].at]


def attainment(mark: Mark) -> float | None:
    """The share of judged requests that kept their SLO."""
    return min(1.0, mark.met / mark.judged) if mark.judged else None
