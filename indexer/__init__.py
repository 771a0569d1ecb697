"""Curates the corpus and answers where a text was seen. Knows no torch, no LSP."""
