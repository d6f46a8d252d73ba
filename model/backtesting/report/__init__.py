"""The report of a backtest: JSON for programs, a self-contained page and Markdown for people."""
