"""The fleet catalogue: the operator's resources and SLOs, as validated values."""

from heliostat.catalogue.fleet_catalogue import FleetCatalogue
from heliostat.catalogue.parse import parse_catalogue
from heliostat.catalogue.specs import (
    LeadTimePrior,
    ModelSpec,
    PoolSpec,
    Price,
    RegionSpec,
    Slo,
    TierSpec,
    VmType,
)

__all__ = [
    "FleetCatalogue",
    "LeadTimePrior",
    "ModelSpec",
    "PoolSpec",
    "Price",
    "RegionSpec",
    "Slo",
    "TierSpec",
    "VmType",
    "parse_catalogue",
]
