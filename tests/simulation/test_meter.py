"""A region's meter: every closed window told once, holes missing, silence zero."""

from dataclasses import replace

from heliostat.model.instants import Span
from simulation.meter import RegionMeter
from simulation.troubles import CloudTroubles, TelemetryHole
from tests.builders import MINUTE, NOON, a_series, a_window

HOLE = Span(NOON + MINUTE, NOON + 2 * MINUTE)


def a_meter(*holes: TelemetryHole) -> RegionMeter:
    return RegionMeter(quiet_series=a_series(), troubles=CloudTroubles(telemetry_holes=holes))


def test_a_closed_window_is_told_once() -> None:
    meter = a_meter()
    meter.close(NOON, [a_window()], silent=False)
    assert meter.closed_windows(NOON) == (a_window(),)
    assert meter.closed_windows(NOON) == ()


def test_a_minute_without_traffic_is_reported_as_zero() -> None:
    meter = a_meter()
    late = a_window(NOON, revision=2)
    meter.close(NOON + MINUTE, [late], silent=False)
    revised, quiet = meter.closed_windows(NOON + MINUTE)
    assert revised == late
    assert (quiet.start, quiet.offered, quiet.input_tokens) == (NOON + MINUTE, 0, None)


def test_of_a_window_revised_before_anybody_asked_the_last_revision_is_told() -> None:
    meter = a_meter()
    later = a_window(NOON + MINUTE)
    meter.close(NOON, [a_window(NOON, revision=1)], silent=False)
    meter.close(NOON + MINUTE, [a_window(NOON, revision=2), later], silent=False)
    assert meter.closed_windows(NOON) == (a_window(NOON, revision=2), later)


def test_a_minute_of_which_the_source_knows_nothing_is_not_reported() -> None:
    meter = a_meter()
    meter.close(NOON, [], silent=True)
    assert meter.closed_windows(NOON) == ()


def test_minutes_in_a_telemetry_hole_are_missing_revisions_and_all() -> None:
    meter = a_meter(TelemetryHole(span=HOLE))
    for minute in range(3):
        meter.close(NOON + MINUTE * minute, [a_window(NOON + MINUTE * minute)], silent=False)
    meter.close(NOON + 3 * MINUTE, [a_window(NOON + MINUTE, revision=2)], silent=True)
    starts = [window.start for window in meter.closed_windows(NOON)]
    assert starts == [NOON, NOON + 2 * MINUTE]


def test_a_hole_in_the_tokens_leaves_the_counts() -> None:
    meter = a_meter(TelemetryHole(span=HOLE, only_tokens=True))
    window = a_window(NOON + MINUTE)
    meter.close(NOON + MINUTE, [window], silent=False)
    assert meter.closed_windows(NOON) == (replace(window, input_tokens=None, output_tokens=None),)


def test_of_two_holes_the_worse_one_counts() -> None:
    meter = a_meter(TelemetryHole(span=HOLE, only_tokens=True), TelemetryHole(span=HOLE))
    meter.close(NOON + MINUTE, [a_window(NOON + MINUTE)], silent=False)
    assert meter.closed_windows(NOON) == ()


def test_delayed_usage_is_told_later_and_in_order() -> None:
    delay = CloudTroubles(telemetry_delay=2 * MINUTE)
    meter = RegionMeter(quiet_series=a_series(), troubles=delay)
    for minute in range(3):
        meter.close(NOON + MINUTE * minute, [a_window(NOON + MINUTE * minute)], silent=False)
    assert meter.closed_windows(NOON + 2 * MINUTE) == ()
    assert meter.closed_windows(NOON + 3 * MINUTE) == (a_window(),)
    assert len(meter.closed_windows(NOON + 9 * MINUTE)) == 2
