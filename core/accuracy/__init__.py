"""Scores of forecasts that met their outcome, and whether a difference between two is more than chance."""
