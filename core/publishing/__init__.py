"""Immutable Parquet files and the one manifest that names them, replaced atomically."""
