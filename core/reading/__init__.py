"""What API and dashboard show: prices, forecasts, scores and the state of the suite."""
