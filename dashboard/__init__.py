"""Streamlit dashboard: reads what the other processes publish and never writes."""
