"""Our own lexer: one file of C, compiled when Footnote is installed."""
