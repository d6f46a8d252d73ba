"""Parts of a view that are drawn on their own: each takes the context and what it shows."""
