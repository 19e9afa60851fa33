"""Names the series of a request after what its file says: its model, its origin, its tier."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

UNNAMED = "requests"
"""The model of a request whose file names none."""


def series_of(named: Mapping[str, pl.Expr]) -> pl.Expr:
    """The series of each row from the columns `origin`, `model` and `tier`, as far as there are any.

    A row of which neither origin nor tier is known is its model's; any other is `origin/model/tier`,
    with nothing between the slashes where one of them is not known.
    """
    known = {name: _text(column) for name, column in named.items()}
    nothing = pl.lit("")
    model = known.get("model", nothing)
    model = pl.when(model == "").then(pl.lit(UNNAMED)).otherwise(model)
    if "origin" not in known and "tier" not in known:
        return model
    origin, tier = known.get("origin", nothing), known.get("tier", nothing)
    return (
        pl.when((origin == "") & (tier == ""))
        .then(model)
        .otherwise(pl.concat_str(origin, model, tier, separator="/"))
    )


def _text(column: pl.Expr) -> pl.Expr:
    return column.cast(pl.String).fill_null("")
