"""Scores of forecasts with known outcomes, and whether a difference between two scores is significant."""
