"""Recorded prices: Parquet and CSV files and stored databases, read in one way."""
