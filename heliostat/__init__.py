"""Heliostat, a multi-region capacity control plane for LLM serving: domain types, ports and loops."""

__version__ = "0.1.0"
