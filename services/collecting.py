"""How often a process looks for cycles among its values: seldom.

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
