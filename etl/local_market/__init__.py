"""The local market server: simulated and recorded markets in CoinGecko's shapes."""
