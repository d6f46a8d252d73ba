"""Losses of forecasts, live and in backtests, and the naive benchmark they are compared with."""
