"""The gateway address: the control plane's contract for routes and usage, served from the journal."""

from services.agent.door.opening import Door

__all__ = ["Door"]
