"""The example fleet of `deploy/catalogue.yaml`, which most figures are measured on."""

from __future__ import annotations

from pathlib import Path

from heliostat.catalogue import FleetCatalogue
from storage.catalogue_file import read_catalogue

EXAMPLE = Path("deploy/catalogue.yaml")


def example_fleet() -> FleetCatalogue:
    """The catalogue as it stands; run from the repository's root. Raises InvalidCatalogue."""
    return read_catalogue(EXAMPLE)
