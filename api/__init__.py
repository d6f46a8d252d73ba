"""REST API: reads what the other processes published, never writes."""
