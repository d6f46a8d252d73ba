"""A client of the API in one module, to copy into other projects."""
