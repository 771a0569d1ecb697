"""Learns and measures."""
