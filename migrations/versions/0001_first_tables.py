"""The first tables.

Nothing ran before them, so nothing can break.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_records",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_records")),
    )
    op.create_index(op.f("ix_audit_records_at"), "audit_records", ["at"], unique=False)
    op.create_table(
        "champions",
        sa.Column("series", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("series", name=op.f("pk_champions")),
    )
    op.create_table(
        "commands",
        sa.Column("command_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("not_after", sa.BigInteger(), nullable=False),
        sa.Column(
            "request_id", sa.Text(), nullable=True, comment="null when nobody asked by request"
        ),
        sa.Column("lease_holder", sa.Text(), nullable=False),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("command_id", name=op.f("pk_commands")),
        sa.UniqueConstraint("request_id", name=op.f("uq_commands_request_id")),
    )
    op.create_index(op.f("ix_commands_created_at"), "commands", ["created_at"], unique=False)
    op.create_index(op.f("ix_commands_state_region"), "commands", ["state", "region"], unique=False)
    op.create_table(
        "counters",
        sa.Column("name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
    )
    op.create_table(
        "demand_folds",
        sa.Column("bucket_start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rows", sa.LargeBinary(), nullable=False, comment="storage.fold.FOLDED, packed"),
        sa.PrimaryKeyConstraint("bucket_start", name=op.f("pk_demand_folds")),
    )
    op.create_table(
        "demand_keys",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_demand_keys")),
        sa.UniqueConstraint(
            "origin", "model", "tier", name=op.f("uq_demand_keys_origin_model_tier")
        ),
    )
    op.create_table(
        "denials",
        sa.Column("region", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("vm_type", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("region", "vm_type", name=op.f("pk_denials")),
    )
    op.create_table(
        "forecast_scores",
        sa.Column("series", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("method", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("horizon_seconds", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "series", "method", "horizon_seconds", name=op.f("pk_forecast_scores")
        ),
    )
    op.create_table(
        "forecast_series",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forecast_series")),
        sa.UniqueConstraint(
            "origin",
            "model",
            "tier",
            "kind",
            name=op.f("uq_forecast_series_origin_model_tier_kind"),
        ),
    )
    op.create_table(
        "forecasts",
        sa.Column("series", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("issued_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("step_seconds", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("trained_until", sa.Text(), nullable=False),
        sa.Column("degraded", sa.Text(), nullable=False),
        sa.Column("levels", sa.LargeBinary(), nullable=False, comment="float64"),
        sa.Column("mean", sa.LargeBinary(), nullable=False, comment="float64, one row per level"),
        sa.Column("peak", sa.LargeBinary(), nullable=False, comment="float64, one row per level"),
        sa.PrimaryKeyConstraint("series", "issued_at", name=op.f("pk_forecasts")),
    )
    op.create_index(op.f("ix_forecasts_issued_at"), "forecasts", ["issued_at"], unique=False)
    op.create_table(
        "lead_times",
        sa.Column("pool", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("start_kind", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("ready_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lead_time_microseconds", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint(
            "pool", "start_kind", "ready_at", "lead_time_microseconds", name=op.f("pk_lead_times")
        ),
    )
    op.create_index(op.f("ix_lead_times_ready_at"), "lead_times", ["ready_at"], unique=False)
    op.create_table(
        "leadership",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column(
            "expires_at", sa.Double(), nullable=False, comment="epoch seconds, the database's clock"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leadership")),
    )
    op.create_table(
        "modes",
        sa.Column("region", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("region", name=op.f("pk_modes")),
    )
    op.create_table(
        "observations",
        sa.Column("region", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("observed_at", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("region", name=op.f("pk_observations")),
    )
    op.create_table(
        "overrides",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("override_id", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_overrides")),
        sa.UniqueConstraint("override_id", name=op.f("uq_overrides_override_id")),
    )
    op.create_index(op.f("ix_overrides_expires_at"), "overrides", ["expires_at"], unique=False)
    op.create_index(op.f("ix_overrides_pool"), "overrides", ["pool"], unique=False)
    op.create_table(
        "plans",
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_plans")),
    )
    op.create_index(op.f("ix_plans_created_at"), "plans", ["created_at"], unique=False)
    op.create_table(
        "pool_changes",
        sa.Column("pool", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("pool", name=op.f("pk_pool_changes")),
    )
    op.create_table(
        "routing_acks",
        sa.Column("origin", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("gateway_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("origin", "gateway_id", name=op.f("pk_routing_acks")),
    )
    op.create_table(
        "routing_tables",
        sa.Column("origin", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("origin", "version", name=op.f("pk_routing_tables")),
    )
    op.create_table(
        "usage_coverage",
        sa.Column("origin", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("bucket_start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False, comment="bit i = minute i was reported"),
        sa.PrimaryKeyConstraint("origin", "bucket_start", name=op.f("pk_usage_coverage")),
    )
    op.create_table(
        "usage_open_buckets",
        sa.Column("bucket_start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("bucket_start", name=op.f("pk_usage_open_buckets")),
    )
    op.create_table(
        "usage_reported",
        sa.Column("origin", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("origin", "source", name=op.f("pk_usage_reported")),
    )
    op.create_table(
        "usage_retention",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("pruned_before", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_retention")),
    )
    op.create_table(
        "usage_roll_ups",
        sa.Column("bucket_start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("series", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("windows", sa.BigInteger(), nullable=False),
        sa.Column("offered", sa.BigInteger(), nullable=False),
        sa.Column("admitted", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.Column("retried", sa.BigInteger(), nullable=False),
        sa.Column("completed", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("windows_without_input", sa.BigInteger(), nullable=False),
        sa.Column("windows_without_output", sa.BigInteger(), nullable=False),
        sa.Column("ttft", sa.LargeBinary(), nullable=True),
        sa.Column("itl", sa.LargeBinary(), nullable=True),
        sa.Column("e2e", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("bucket_start", "series", name=op.f("pk_usage_roll_ups")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "usage_sequences",
        sa.Column("source_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("incarnation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("durable_sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "incarnation", name=op.f("pk_usage_sequences")),
    )
    op.create_table(
        "usage_series",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("serving", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_series")),
        sa.UniqueConstraint(
            "origin",
            "serving",
            "model",
            "tier",
            name=op.f("uq_usage_series_origin_serving_model_tier"),
        ),
    )
    op.create_table(
        "usage_sources",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_sources")),
        sa.UniqueConstraint("source_id", name=op.f("uq_usage_sources_source_id")),
    )
    op.create_table(
        "usage_windows",
        sa.Column("window_start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("series", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("offered", sa.BigInteger(), nullable=False),
        sa.Column("admitted", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.Column("retried", sa.BigInteger(), nullable=False),
        sa.Column("completed", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("ttft", sa.LargeBinary(), nullable=True),
        sa.Column("itl", sa.LargeBinary(), nullable=True),
        sa.Column("e2e", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("window_start", "series", "source", name=op.f("pk_usage_windows")),
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": 70},
    )


def downgrade() -> None:
    op.drop_table("usage_windows")
    op.drop_table("usage_sources")
    op.drop_table("usage_series")
    op.drop_table("usage_sequences")
    op.drop_table("usage_roll_ups")
    op.drop_table("usage_retention")
    op.drop_table("usage_reported")
    op.drop_table("usage_open_buckets")
    op.drop_table("usage_coverage")
    op.drop_table("routing_tables")
    op.drop_table("routing_acks")
    op.drop_table("pool_changes")
    op.drop_index(op.f("ix_plans_created_at"), table_name="plans")
    op.drop_table("plans")
    op.drop_index(op.f("ix_overrides_pool"), table_name="overrides")
    op.drop_index(op.f("ix_overrides_expires_at"), table_name="overrides")
    op.drop_table("overrides")
    op.drop_table("observations")
    op.drop_table("modes")
    op.drop_table("leadership")
    op.drop_index(op.f("ix_lead_times_ready_at"), table_name="lead_times")
    op.drop_table("lead_times")
    op.drop_index(op.f("ix_forecasts_issued_at"), table_name="forecasts")
    op.drop_table("forecasts")
    op.drop_table("forecast_series")
    op.drop_table("forecast_scores")
    op.drop_table("denials")
    op.drop_table("demand_keys")
    op.drop_table("demand_folds")
    op.drop_table("counters")
    op.drop_index(op.f("ix_commands_state_region"), table_name="commands")
    op.drop_index(op.f("ix_commands_created_at"), table_name="commands")
    op.drop_table("commands")
    op.drop_table("champions")
    op.drop_index(op.f("ix_audit_records_at"), table_name="audit_records")
    op.drop_table("audit_records")
