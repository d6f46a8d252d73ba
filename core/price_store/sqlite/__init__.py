"""The price store as one SQLite file."""
