"""`python -I -m lsp_server`: the language server on stdin and stdout."""

import sys

from lsp_server.commands.serve import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
