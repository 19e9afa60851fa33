"""${message}.

Safe while the previous release runs? Say how: add before use, remove a release after the last use,
no rewrite of a large table under a lock (timeouts are set in migrations/running.py), an index on a
large PostgreSQL table CONCURRENTLY. Reversible? downgrade() undoes it, or says why it cannot.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
