"""Keeps journal and control plane in step; works on alone while nobody answers."""

from services.agent.link.link import Link

__all__ = ["Link"]
