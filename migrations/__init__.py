"""Changes the store's tables step by step, safely while the previous release still runs."""

from migrations.running import check, downgrade, head, steps_back, upgrade

__all__ = ["check", "downgrade", "head", "steps_back", "upgrade"]
