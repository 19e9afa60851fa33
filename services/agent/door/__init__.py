"""What local gateways talk to: the control plane's contract for routes and usage, from the journal."""

from services.agent.door.opening import Door

__all__ = ["Door"]
