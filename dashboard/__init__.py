"""Streamlit dashboard: reads what the other processes published, never writes."""
