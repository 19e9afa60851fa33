"""Requests too large for any replica of the region."""

from __future__ import annotations

from heliostat.catalogue import FleetCatalogue
from heliostat.model.dispatch import Shed, ShedReason
from heliostat.model.names import ModelName, RegionName
from scheduling.laws.law import WorkerLaw
from scheduling.placement.margins import Margins
from scheduling.request import Request


class Limits:
    """The most tokens that one replica of each model may hold in the region, whether it stands or not."""

    def __init__(self, catalogue: FleetCatalogue, region: RegionName, margins: Margins) -> None:
        self._largest: dict[ModelName, int] = {}
        for pool in catalogue.pools:
            if pool.key.region == region:
                model = pool.key.model
                law = WorkerLaw.of(catalogue.law(model, pool.key.vm_type))
                room = int(margins.memory_share * law.kv_tokens) - law.kv_tokens_per_sequence
                self._largest[model] = max(self._largest.get(model, 0), room)

    def never_fits(self, request: Request) -> Shed | None:
        """Turned away when no replica that may ever stand here could hold it; None otherwise."""
        needed = request.input_tokens + request.length.mean_tokens
        most = self._largest.get(request.model, 0)
        if needed <= most:
            return None
        detail = f"{needed:,.0f} tokens do not fit on any replica here; the largest holds {most:,}"
        return Shed(reason=ShedReason.TOO_LARGE, detail=detail)
