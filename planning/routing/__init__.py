"""Routing between two plans: shares per origin, model and tier."""

from planning.rivals.baseline_routers import NearestRouter, SeventyPercentRouter
from planning.routing.router import WaterFillingRouter

__all__ = ["NearestRouter", "SeventyPercentRouter", "WaterFillingRouter"]
