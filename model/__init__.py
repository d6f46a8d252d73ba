"""The forecaster and everything around it: training, forecasting, scoring, backtests."""
