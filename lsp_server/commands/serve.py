"""`footnote serve`: the language server, on stdin and stdout or on a port of this machine."""

from __future__ import annotations

import argparse
import logging
import sys

from lsp_server import installation


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="footnote serve",
        description="Run the language server. Editors start it and talk to it over stdin and "
        "stdout; nothing else is printed there.",
    )
    parser.add_argument(
        "--tcp",
        type=int,
        metavar="PORT",
        help="wait for one editor on this port of 127.0.0.1 instead (0: any free port)",
    )
    parser.add_argument(
        "--stdio", action="store_true", help=argparse.SUPPRESS
    )  # some clients add it
    parser.add_argument("--clientProcessId", help=argparse.SUPPRESS)  # and some this
    parser.add_argument(
        "--log",
        choices=("debug", "info", "warning", "error"),
        default="warning",
        help="what to log on stderr (default: warning); texts of documents never are",
    )
    options = parser.parse_args(argv)
    logging.basicConfig(
        stream=sys.stderr,
        level=options.log.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    if (problem := installation.intruder()) is not None:
        print(f"footnote serve: {problem}", file=sys.stderr)
        return 2
    return _serve(options.tcp)


def _serve(port: int | None) -> int:
    from lsp_server import transport
    from lsp_server.server import build_server

    server = build_server()
    if port is None:
        if sys.stdin.isatty():
            print("waiting for an editor to speak on stdin; Ctrl-C ends", file=sys.stderr)
        return transport.serve_stdio(server.protocol)

    def listening(at: int) -> None:
        print(f"listening on {transport.LOOPBACK}:{at}", file=sys.stderr, flush=True)

    try:
        return transport.serve_tcp(server.protocol, port, listening)
    except (OSError, OverflowError) as error:
        print(f"footnote serve: cannot listen on port {port}: {error}", file=sys.stderr)
        return 2
