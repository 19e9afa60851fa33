"""The tables, in one place; `migrations/` brings a database to what stands here.

Instants are whole epoch seconds. What nobody filters by lies in a JSON `document` (`storage.codec`)
beside the columns that somebody does.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_REVISION = "0002"
"""The migration that this code was written for."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _number(name: str) -> Column[int]:
    """A number that the database gives; SQLite counts only in INTEGER."""
    wide = BigInteger().with_variant(Integer(), "sqlite")
    return Column(name, wide, primary_key=True, autoincrement=True)


def _key(name: str, kind: type[BigInteger | Integer | Text]) -> Column[object]:
    return Column(name, kind(), primary_key=True, autoincrement=False)


def _count(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger(), nullable=nullable)


def _text(name: str) -> Column[str]:
    return Column(name, Text(), nullable=False)


def _sketches() -> list[Column[bytes]]:
    return [Column(name, LargeBinary(), nullable=True) for name in ("ttft", "itl", "e2e")]


# --- leadership and numbering ------------------------------------------------------------------

leadership = Table(
    "leadership",
    metadata,
    _key("id", Integer),
    _count("epoch"),
    _text("holder"),
    _text("address"),
    Column("expires_at", Double(), nullable=False, comment="epoch seconds, the database's clock"),
)
counters = Table("counters", metadata, _key("name", Text), _count("value"))

# --- usage -------------------------------------------------------------------------------------

usage_sources = Table(
    "usage_sources",
    metadata,
    _number("id"),
    _text("source_id"),
    UniqueConstraint("source_id"),
)
usage_sequences = Table(
    "usage_sequences",
    metadata,
    _key("source_id", Text),
    _key("incarnation", BigInteger),
    _count("durable_sequence"),
)
usage_series = Table(
    "usage_series",
    metadata,
    _number("id"),
    _text("origin"),
    _text("serving"),
    _text("model"),
    _text("tier"),
    UniqueConstraint("origin", "serving", "model", "tier"),
)
demand_keys = Table(
    "demand_keys",
    metadata,
    _number("id"),
    _text("origin"),
    _text("model"),
    _text("tier"),
    UniqueConstraint("origin", "model", "tier"),
)
usage_windows = Table(
    "usage_windows",
    metadata,
    _key("window_start", BigInteger),
    _key("series", Integer),
    _key("source", Integer),
    Column("revision", BigInteger(), nullable=False),
    _count("offered"),
    _count("admitted"),
    _count("rejected"),
    _count("retried"),
    _count("completed"),
    _count("input_tokens", nullable=True),
    _count("output_tokens", nullable=True),
    *_sketches(),
    sqlite_with_rowid=False,
    # Windows are revised within minutes: room in the page spares PostgreSQL the index entry.
    postgresql_with={"fillfactor": 70},
)
usage_roll_ups = Table(
    "usage_roll_ups",
    metadata,
    _key("bucket_start", BigInteger),
    _key("series", Integer),
    _count("windows"),
    _count("offered"),
    _count("admitted"),
    _count("rejected"),
    _count("retried"),
    _count("completed"),
    _count("input_tokens", nullable=True),
    _count("output_tokens", nullable=True),
    _count("windows_without_input"),
    _count("windows_without_output"),
    *_sketches(),
    sqlite_with_rowid=False,
)
demand_folds = Table(
    "demand_folds",
    metadata,
    _key("bucket_start", BigInteger),
    Column("rows", LargeBinary(), nullable=False, comment="storage.fold.FOLDED, packed"),
)
usage_coverage = Table(
    "usage_coverage",
    metadata,
    _key("origin", Text),
    _key("bucket_start", BigInteger),
    Column("minutes", Integer(), nullable=False, comment="bit i = minute i was reported"),
)
usage_reported = Table(
    "usage_reported",
    metadata,
    _key("origin", Text),
    _key("source", Integer),
    _count("until"),
)
usage_open_buckets = Table(
    "usage_open_buckets",
    metadata,
    _key("bucket_start", BigInteger),
    _count("changes"),
)
usage_retention = Table("usage_retention", metadata, _key("id", Integer), _count("pruned_before"))

# --- forecasts ---------------------------------------------------------------------------------

forecast_series = Table(
    "forecast_series",
    metadata,
    _number("id"),
    _text("origin"),
    _text("model"),
    _text("tier"),
    _text("kind"),
    UniqueConstraint("origin", "model", "tier", "kind"),
)
forecasts = Table(
    "forecasts",
    metadata,
    _key("series", Integer),
    _key("issued_at", BigInteger),
    _count("start"),
    _count("step_seconds"),
    _text("method"),
    _text("trained_until"),
    _text("degraded"),
    Column("levels", LargeBinary(), nullable=False, comment="float64"),
    Column("mean", LargeBinary(), nullable=False, comment="float64, one row per level"),
    Column("peak", LargeBinary(), nullable=False, comment="float64, one row per level"),
    Index(None, "issued_at"),
)
champions = Table("champions", metadata, _key("series", Integer), _text("document"))
forecast_scores = Table(
    "forecast_scores",
    metadata,
    _key("series", Integer),
    _key("method", Text),
    _key("horizon_seconds", BigInteger),
    _count("at"),
    _text("document"),
)

# --- decisions ---------------------------------------------------------------------------------

plans = Table(
    "plans",
    metadata,
    _key("version", BigInteger),
    _text("origin"),
    _count("created_at"),
    _text("document"),
    Index(None, "created_at"),
)
routing_tables = Table(
    "routing_tables",
    metadata,
    _key("origin", Text),
    _key("version", Text),
    _text("document"),
)
routing_acks = Table(
    "routing_acks",
    metadata,
    _key("origin", Text),
    _key("gateway_id", Text),
    _count("at"),
    _text("document"),
)
commands = Table(
    "commands",
    metadata,
    _key("command_id", Text),
    _text("region"),
    _text("state"),
    _count("created_at"),
    _count("not_after"),
    Column("request_id", Text(), nullable=True, comment="null when nobody asked by request"),
    _text("lease_holder"),
    _count("leased_until", nullable=True),
    _text("document"),
    UniqueConstraint("request_id"),
    Index(None, "state", "region"),
    Index(None, "created_at"),
)
pool_changes = Table("pool_changes", metadata, _key("pool", Text), _count("changed_at"))
overrides = Table(
    "overrides",
    metadata,
    _number("id"),
    _text("override_id"),
    _text("pool"),
    _count("created_at"),
    _count("expires_at"),
    Column("cancelled", Boolean(), nullable=False),
    _text("document"),
    UniqueConstraint("override_id"),
    Index(None, "expires_at"),
    Index(None, "pool"),
)
modes = Table("modes", metadata, _key("region", Text), _text("document"))
audit_records = Table(
    "audit_records",
    metadata,
    _number("id"),
    _count("at"),
    _text("author"),
    _text("action"),
    _text("subject"),
    _text("document"),
    Index(None, "at"),
)

# --- fleet -------------------------------------------------------------------------------------

observations = Table(
    "observations",
    metadata,
    _key("region", Text),
    _count("observed_at"),
    _text("document"),
)
region_holds = Table("region_holds", metadata, _key("region", Text), _text("document"))
denials = Table(
    "denials",
    metadata,
    _key("region", Text),
    _key("vm_type", Text),
    _count("at"),
    _count("until"),
    _text("document"),
)
lead_times = Table(
    "lead_times",
    metadata,
    _key("pool", Text),
    _key("start_kind", Text),
    _key("ready_at", BigInteger),
    _key("lead_time_microseconds", BigInteger),
    Index(None, "ready_at"),
)
