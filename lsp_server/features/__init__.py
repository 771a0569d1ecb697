"""One file per message: decode, call, encode."""
