"""Every word and number format of the dashboard, in Portuguese and English."""
