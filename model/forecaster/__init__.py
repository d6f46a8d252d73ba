"""The forecaster, free of I/O: prices in, calibrated forecasts out; shared by live loop and backtest."""
