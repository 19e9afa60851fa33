"""The agent's hands: one driver per cloud, each with the same promises."""
