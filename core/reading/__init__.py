"""What API and dashboard read: the newest prices, forecasts and scores, and the state of the suite."""
