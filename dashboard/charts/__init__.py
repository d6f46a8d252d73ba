"""What pages draw: charts and tables, with their style and colours."""
