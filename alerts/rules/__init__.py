"""Rules: their types, the file that people write, and how they are said in words."""
