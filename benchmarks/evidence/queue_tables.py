"""Tables and pictures of the page on annealing: promises kept and mean seconds over what is swept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.evidence import queues
from benchmarks.evidence.drawing.lines import Line, lines_picture
from benchmarks.evidence.duels import Duel, Spot, figure_at
from benchmarks.evidence.ledger import Ledger
from benchmarks.evidence.queues import Setting, settings
from benchmarks.evidence.tables import table
from benchmarks.evidence.wording import NOTHING, percent, plain
from scheduling.ordering.registry import ORDERINGS
from simulation.experiments.intervals import Estimate
from simulation.instance.mix import Foresight

_SHOWN = (
    "heliostat",
    "annealing",
    "random-walk",
    "sjf",
    "on-time",
    "edf",
    "least-slack",
    "fcfs",
)
_SEARCHES = ("annealing", "random-walk", "heliostat", "sjf", "fcfs")


def _kept(found: Estimate | None) -> str:
    if found is None:
        return NOTHING
    half = "" if found.high is None else f" ± {100 * (found.high - found.mean):.1f}"
    return f"{100 * found.mean:.1f}{half}"


def _sweep_table(ledger: Ledger, spots_shown: Sequence[tuple[str, Spot]]) -> str:
    """Promises kept, and mean seconds, by ordering."""
    names = [*ORDERINGS, queues.NOBODY_STARVES]

    def cell(name: str, spot: Spot) -> str:
        seconds = figure_at(ledger, spot, name, queues.SECONDS)
        if seconds is None:
            return NOTHING
        return f"{_kept(figure_at(ledger, spot, name, queues.KEPT))} / {plain(seconds.mean, 1)}"

    rows = [(name, *(cell(name, spot) for _, spot in spots_shown)) for name in names]
    known = [row for row in rows if set(row[1:]) != {NOTHING}]
    head = ("ordering", *(words for words, _ in spots_shown))
    return table(head, known, right=range(1, len(head)))


def forty_tables(ledger: Ledger) -> list[dict[str, str]]:
    """Forty at once, by batch cap: a table per model, kind of batches and foresight."""
    shown = []
    for scenario, model, continuous in (
        (queues.AT_ONCE, "32B", False),
        (queues.AT_ONCE, "7B", False),
        (queues.JOINING, "32B", True),
    ):
        for foresight in Foresight:
            columns = []
            for cap in queues.CAPS[1:] if continuous else queues.CAPS:
                setting = Setting(model=model, cap=cap, foresight=foresight, continuous=continuous)
                spot = Spot(scenario=scenario, setting=setting, headroom=float(queues.PLANNED))
                columns.append((f"cap {cap}", spot))
            batches = "continuous batching" if continuous else "static batches"
            head = f"{model}, {batches}, lengths by {foresight.value}"
            shown.append({"head": head, "table": _sweep_table(ledger, columns)})
    return shown


def stream_tables(ledger: Ledger) -> list[dict[str, str]]:
    """Streams, by rate: a table per setting."""
    shown = []
    for (continuous, cap), rates in queues.RATES.items():
        for setting in settings(("32B",), (cap,), continuous=continuous):
            columns = [
                (f"{rate:g}/s", Spot(scenario=queues.STREAM, setting=setting, headroom=rate))
                for rate in rates
            ]
            shown.append({"head": str(setting), "table": _sweep_table(ledger, columns)})
    return shown


def blurred_table(ledger: Ledger) -> str:
    """Forty at once, batches of one, by the error of an oracle."""
    setting = Setting(model="32B", cap=1, foresight=Foresight.ORACLE)
    columns = [
        (f"error {error:g}", Spot(scenario=queues.BLURRED, setting=setting, headroom=error))
        for error in queues.ERRORS
    ]
    return _sweep_table(ledger, columns)


def exhaustive_table(ledger: Ledger) -> str:
    """G of short queues as a share of what the best of all orders reaches on the replica."""
    rows = []
    for foresight in Foresight:
        for cap in queues.CAPS:
            setting = Setting(model="32B", cap=cap, foresight=foresight)
            spot = Spot(scenario=queues.AT_ONCE, setting=setting, headroom=7.0)
            best = figure_at(ledger, spot, queues.EXHAUSTIVE, queues.GAIN)
            shares = [
                _share(figure_at(ledger, spot, name, queues.GAIN), best) for name in _SEARCHES
            ]
            rows.append((f"cap {cap}, lengths by {foresight.value}", *shares))
    known = [row for row in rows if set(row[1:]) != {NOTHING}]
    return table(("7 at once, 32B", *_SEARCHES), known, right=range(1, 6))


def _share(found: Estimate | None, best: Estimate | None) -> str:
    return percent(found.mean / best.mean, 1) if found and best and best.mean else NOTHING


def duel_table(duels: Sequence[Duel]) -> str:
    """Points of a sweep at which ours met the best rival."""
    return table(
        ("point", "heliostat", "best baseline", "its share", "difference in points"),
        (
            (
                str(one.spot),
                _kept(one.ours),
                one.rival,
                _kept(one.theirs),
                _kept(one.change.estimate).replace("-", "−"),
            )
            for one in duels
        ),
        right=(1, 3, 4),
    )


def pictures(ledger: Ledger) -> dict[str, str]:
    """SVG by file name."""

    def line(scenario: str, setting: Setting, name: str, swept: Iterable[float]) -> Line:
        spots_swept = [Spot(scenario=scenario, setting=setting, headroom=x) for x in swept]
        return [(s.headroom, figure_at(ledger, s, name, queues.KEPT)) for s in spots_swept]

    def panels(
        scenario: str, shown: Iterable[tuple[Setting, Iterable[float]]]
    ) -> dict[str, dict[str, Line]]:
        return {
            str(setting): {name: line(scenario, setting, name, list(swept)) for name in _SHOWN}
            for setting, swept in shown
        }

    counts = [float(count) for count in queues.COUNTS]
    at_once = panels(queues.AT_ONCE, ((setting, counts) for setting in settings(("32B",), (1, 4))))
    stream = panels(
        queues.STREAM,
        (
            (setting, queues.RATES[continuous, 4])
            for continuous in (False, True)
            for setting in settings(("32B",), (4,), continuous=continuous)
        ),
    )
    blurred = panels(
        queues.BLURRED,
        (
            (Setting(model="32B", cap=cap, foresight=Foresight.ORACLE), queues.ERRORS)
            for cap in (1, 4)
        ),
    )
    return {
        "annealing-at-once.svg": lines_picture(
            "Promises kept, at once", at_once, "requests at once"
        ),
        "annealing-streams.svg": lines_picture(
            "Promises kept, Poisson streams", stream, "requests a second"
        ),
        "annealing-blurred.svg": lines_picture(
            "Promises kept as predictions blur, 40 at once",
            blurred,
            "deviation of ln(predicted ÷ true)",
        ),
    }
