"""Which agent speaks for a region.

Safe while the previous release runs: a table of its own, which that release does not know. Its leader
renews no holds, so they run out.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "region_holds",
        sa.Column("region", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("region", name=op.f("pk_region_holds")),
    )


def downgrade() -> None:
    op.drop_table("region_holds")
