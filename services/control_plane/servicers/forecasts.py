"""ForecastService: shows forecasts, their accuracy and the champions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from heliostat.v1 import forecast_pb2, forecast_pb2_grpc
from services.control_plane.desk import Desk
from services.translation.fields import instant_from_wire, required
from services.translation.forecasts import (
    champion_to_wire,
    filter_from_wire,
    forecast_to_wire,
    score_to_wire,
)
from services.translation.names import known_series
from services.translation.pages import page_of


class ForecastServicer(forecast_pb2_grpc.ForecastServiceServicer):
    """Serves the conversation."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ListForecasts(
        self, request: forecast_pb2.ListForecastsRequest, context: Any
    ) -> forecast_pb2.ListForecastsResponse:
        chosen = filter_from_wire("filter", request.filter, self._desk.catalogue)
        page = page_of(request, default=50, limit=500)
        at = self._instant(request.at if request.HasField("at") else None)
        forecasts = await self._desk.threads.read(lambda: self._desk.stores.forecasts.latest(at))
        found = sorted((f for f in forecasts if f.key in chosen), key=lambda f: str(f.key))
        rest = [forecast for forecast in found if str(forecast.key) > page.after]
        shown, token = page.cut(rest, lambda forecast: str(forecast.key))
        return forecast_pb2.ListForecastsResponse(
            forecasts=[forecast_to_wire(forecast) for forecast in shown], next_page_token=token
        )

    async def GetForecast(
        self, request: forecast_pb2.GetForecastRequest, context: Any
    ) -> forecast_pb2.GetForecastResponse:
        path = required("", request, "series")
        key = known_series(path, request.series, self._desk.catalogue)
        at = self._instant(request.at if request.HasField("at") else None)
        forecast = await self._desk.threads.read(lambda: self._desk.stores.forecasts.get(key, at))
        return forecast_pb2.GetForecastResponse(forecast=forecast_to_wire(forecast))

    async def GetForecastAccuracy(
        self, request: forecast_pb2.GetForecastAccuracyRequest, context: Any
    ) -> forecast_pb2.GetForecastAccuracyResponse:
        chosen = filter_from_wire("filter", request.filter, self._desk.catalogue)
        methods = frozenset(request.methods)
        ledger, read = self._desk.stores.forecasts, self._desk.threads.read
        scores, champions = await read(ledger.scores), await read(ledger.champions)
        return forecast_pb2.GetForecastAccuracyResponse(
            scores=[
                score_to_wire(score)
                for score in sorted(scores, key=lambda s: (str(s.key), s.method, s.horizon))
                if score.key in chosen and (not methods or score.method in methods)
            ],
            champions=[
                champion_to_wire(champion)
                for champion in sorted(champions, key=lambda c: str(c.key))
                if champion.key in chosen and (not methods or champion.method in methods)
            ],
        )

    def _instant(self, stamp: Timestamp | None) -> datetime:
        return self._desk.clock.now() if stamp is None else instant_from_wire("at", stamp)
