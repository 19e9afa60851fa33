"""Turns demand series into quantile forecasts and scores them."""
