"""Synchronises journal and control plane; keeps working without the control plane."""

from services.agent.link.link import Link

__all__ = ["Link"]
