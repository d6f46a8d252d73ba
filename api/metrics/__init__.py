"""GET /metrics: what the suite does, in the text format of Prometheus."""
