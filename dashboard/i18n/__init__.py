"""Texts and number formats of the dashboard, in Portuguese and English."""
