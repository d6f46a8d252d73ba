"""The report of a backtest: JSON for programs, a self-contained page for people."""
