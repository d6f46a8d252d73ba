"""The client of CoinGecko: HTTP, parsing of replies, and the meaning of each error reply."""
