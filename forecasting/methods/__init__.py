"""Forecasting methods, behind one protocol."""
