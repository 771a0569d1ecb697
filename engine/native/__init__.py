"""Our own kernels: one file of C, compiled for several kinds of processor when Footnote is installed."""
