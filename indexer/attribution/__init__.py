"""Where did we see this text before."""
