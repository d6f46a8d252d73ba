"""Forecaster, walk-forward backtest, scores, and the loop that trains and forecasts every 30 seconds."""
