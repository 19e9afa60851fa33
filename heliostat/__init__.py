"""Heliostat keeps GPU capacity under the sun: the words, ports and loops of the control plane."""

__version__ = "0.1.0"
