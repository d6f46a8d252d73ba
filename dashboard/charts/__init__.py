"""What the views draw: charts and tables, with their style and colours."""
