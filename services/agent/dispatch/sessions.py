"""Which replica served a session last: its KV cache may still hold the prefix."""

from __future__ import annotations

from collections import OrderedDict

from heliostat.model.names import ModelName


class Sessions:
    """Remembers the `most` that were served last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._served: OrderedDict[tuple[ModelName, str], str] = OrderedDict()

    def replica(self, model: ModelName, session: str) -> str | None:
        """The name of its replica; None for no session, and for one that is not remembered."""
        return self._served.get((model, session)) if session else None

    def served(self, model: ModelName, session: str, replica: str) -> None:
        """That replica serves it now; no session leaves nothing to remember."""
        if not session:
            return
        key = (model, session)
        self._served[key] = replica
        self._served.move_to_end(key)
        if len(self._served) > self._most:
            self._served.popitem(last=False)
