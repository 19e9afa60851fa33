"""Alembic runs this for every command: it migrates on the connection that `migrations.running` opened."""

from __future__ import annotations

from alembic import context

from storage.sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite cannot alter most of a table; alembic copies it instead.
    render_as_batch=True,
    compare_type=True,
    transaction_per_migration=False,
)
context.run_migrations()
