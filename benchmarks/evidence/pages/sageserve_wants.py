"""What SageServe's page wants run: the week, the peak day with every lever, two mixes, the bursts."""

from __future__ import annotations

from benchmarks.evidence.wanted import Fixed, Match, rival

LEVEL = 0.99
WEEK, PEAK_DAY, BURST = "week", "peak-day", "burst"
NINE_TO_ONE, ONE_TO_ONE = "iw-9-1", "iw-1-1"
LONG_TERM = ("lt-i", "lt-u", "lt-ua")

REACTIVE = rival("reactive")
WIDE = rival("reactive-70-30", "reactive, wide band", router="nearest")
"""The same rule with thresholds as far apart as the paper's."""
REACTIVES = (REACTIVE.name, WIDE.name)
PLAYERS = (REACTIVE, WIDE, rival("siloed"), *(rival(name) for name in LONG_TERM))
AS_PUBLISHED = (
    rival("reactive-kv-70-30", "reactive-kv, as published", headroom=0.43),
    rival("reactive-70-30", "reactive at 70 %", headroom=0.43),
    rival("lt-i", "lt-i, as published", headroom=0.0),
    rival("lt-u", "lt-u, as published", headroom=0.0),
    rival("lt-ua", "lt-ua, as published", headroom=0.0),
)
"""The programme covers the forecast and nothing spare, the baseline is 70/30 on memory."""
LEVERS = (
    REACTIVE,
    WIDE,
    rival("reactive", "reactive + 70 % router", router="70-percent"),
    rival("lt-i"),
    rival("lt-i", "lt-i, nearest router", router="nearest"),
    rival("lt-u"),
    rival("lt-ua"),
    rival("lt-ua-shared"),
    rival("lt-ua", "lt-ua, last value", forecaster="naive"),
    rival("lt-ua", "lt-ua, last week", forecaster="seasonal-week"),
    rival("lt-ua", "lt-ua, oracle", forecaster="oracle"),
)
MIXED = (REACTIVE, WIDE, rival("lt-ua"))
ORDERS = ("fcfs", "edf", "pf", "dpa")
ORDERED = tuple(rival("lt-ua", f"order {order}", order=order, headroom=0.0) for order in ORDERS)

WANTS = (
    Match(scenario=WEEK, policies=PLAYERS, levels=(LEVEL,), search_on=PEAK_DAY),
    Fixed(scenario=PEAK_DAY, policies=(*AS_PUBLISHED, *ORDERED)),
    Match(scenario=PEAK_DAY, policies=LEVERS, levels=(LEVEL,)),
    Match(scenario=NINE_TO_ONE, policies=MIXED, levels=(LEVEL,)),
    Match(scenario=ONE_TO_ONE, policies=MIXED, levels=(LEVEL,)),
    Fixed(
        scenario=BURST,
        policies=(REACTIVE, *(rival(name) for name in LONG_TERM)),
        settings_from=WEEK,
        curves=True,
    ),
)
