"""The price store as a schema on a PostgreSQL server, version 14 or newer."""
