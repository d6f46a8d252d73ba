"""Conditions judged: pure functions of what was seen, for all rules of one kind and all coins at once."""
