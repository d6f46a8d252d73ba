"""Walking the forecaster through recorded prices, judging it beside rivals, and the report."""
