"""Publishing: immutable Parquet files and one manifest that names them and is replaced atomically."""
