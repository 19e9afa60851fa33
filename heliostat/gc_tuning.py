"""Makes a process run garbage collection for reference cycles rarely.

Our processes make millions of short-lived values and hardly a cycle, which reference counts end. A full
look walks all that lives: with a thousand gateways watching it stopped a control plane for 210 ms, in
the middle of a change of routes, and took a fifth of a demo's time.
"""

from __future__ import annotations

import gc

_YOUNG, _MIDDLE, _OLD = 100_000, 20, 50
"""Values made and not ended between two looks at the young, looks until the middle-aged are walked
too, and looks at those until all are."""


def collect_seldom() -> None:
    """Walk what lives now never again, and what comes later seldom; to be called once all is set up."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)


def collect_in_small_parts() -> None:
    """The same for a process that answers within milliseconds: many short looks at the young (a look at
    100,000 of them stopped a dispatcher for 37 ms), and hardly ever one at all that lives."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 1, 10_000)
