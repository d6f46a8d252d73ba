"""Alerts: rules that people write, judged by what collector and pipeline publish, and told on their channels."""
