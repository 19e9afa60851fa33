"""The local API: the control plane's contract for routes and usage, served from the journal."""

from services.agent.local_api.opening import LocalApi

__all__ = ["LocalApi"]
