"""REST API: reads what the other processes publish and never writes."""
