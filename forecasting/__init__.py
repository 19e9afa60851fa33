"""Turns demand series into forecasts with quantiles, and keeps score of how good they were."""
