"""Artifacts on an object store: what the pipeline publishes, copied there by it and from there by readers elsewhere."""
