"""Benchmarks: each module prints a table of figures beside a yardstick measured in the same run."""
