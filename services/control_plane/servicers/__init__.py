"""One thin servicer per conversation: translate, ask, translate back; errors rise to the gatekeeper."""
