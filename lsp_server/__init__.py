"""Speaks the Language Server Protocol."""
