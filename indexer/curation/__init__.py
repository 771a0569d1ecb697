"""From pinned sources to a curated corpus."""
