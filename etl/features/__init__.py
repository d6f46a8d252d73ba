"""Prices become features: raw prices, the 5-minute grid, volatility, columns, and training targets."""
