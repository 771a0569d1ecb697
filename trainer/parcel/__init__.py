"""Training on a machine that is borrowed for minutes and reached by files: packed here, run there."""
