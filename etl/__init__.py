"""Collection and features: CoinGecko client, collector, transform, and the local market server."""
