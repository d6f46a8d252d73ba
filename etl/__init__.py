"""Extract, transform, load: the collector, the features, and the local market server."""
