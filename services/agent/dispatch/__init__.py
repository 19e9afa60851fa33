"""Which replica of this region serves a request: `docs/dispatch.md` has the words and the flow."""
