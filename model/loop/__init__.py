"""The live loop's parts: session, forecast log, stored models, time budget, and the first backtest."""
