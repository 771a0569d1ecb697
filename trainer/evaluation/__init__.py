"""Quality and speed, as tables and JSON."""
