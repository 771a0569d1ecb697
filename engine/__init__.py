"""Fills gaps in source text with a local model. Knows no editor, no corpus, no network."""
