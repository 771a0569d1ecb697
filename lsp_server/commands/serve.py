"""`footnote serve`: the language server, on stdin and stdout or on a port of this machine."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lsp_server import installation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lsp_server.endpoint import Endpoint
    from lsp_server.server import FootnoteServer
    from lsp_server.settings import Settings

# Of a thread, while others wait for theirs: what is looked up in a long file must not keep the answer
# to a keystroke, which changes threads several times, for Python's own 5 ms at every change.
_TURN_S = 0.0005


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="footnote serve",
        description="Run the language server. Editors start it and talk to it over stdin and "
        "stdout; nothing else is printed there.",
    )
    parser.add_argument(
        "--tcp",
        type=_port,
        metavar="PORT",
        help="wait for one editor on this port of 127.0.0.1 instead (0: any free port)",
    )
    parser.add_argument(
        "--http",
        type=_port,
        metavar="PORT",
        help="answer on this port of 127.0.0.1 what llama.cpp's /infill and OpenAI's "
        "/v1/completions are asked (llama.vim, minuet, Zed); without --stdio or --tcp nothing else",
    )
    parser.add_argument(
        "--stdio", action="store_true", help="speak to an editor on stdin and stdout beside --http"
    )
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="settings for --http alone, as JSON; an editor sends its own",
    )
    parser.add_argument("--clientProcessId", help=argparse.SUPPRESS)  # some clients add it
    parser.add_argument(
        "--log",
        choices=("debug", "info", "warning", "error"),
        default="warning",
        help="what to log on stderr (default: warning); texts of documents never are",
    )
    options = parser.parse_args(argv)
    alone = options.http is not None and options.tcp is None and not options.stdio
    if options.settings is not None and not alone:
        parser.error("--settings is for --http alone; an editor sends its own settings")
    logging.basicConfig(
        stream=sys.stderr,
        level=options.log.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    if (problem := installation.intruder()) is not None:
        _warn(problem)
        return 2
    sys.setswitchinterval(_TURN_S)
    return _serve_http(options.http, options.settings) if alone else _serve(options)


def _port(told: str) -> int:
    if told.isascii() and told.isdigit() and int(told) < 1 << 16:
        return int(told)
    raise argparse.ArgumentTypeError(
        f"{told!r} is no port: give a number such as 8012; it is one of 127.0.0.1, for no other "
        "address is ever listened on"
    )


def _built() -> FootnoteServer:
    """The server; what it is made of stays, and is never looked through for garbage.

    That took a seventh of the start, and 50 ms whenever it came to it later.
    """
    gc.disable()
    try:
        from lsp_server.server import build_server

        server = build_server()
        gc.freeze()
    finally:
        gc.enable()
    return server


def _serve(options: argparse.Namespace) -> int:
    from lsp_server import transport
    from lsp_server.web import LOOPBACK

    server = _built()

    @asynccontextmanager
    async def beside() -> AsyncIterator[None]:
        """The endpoint, where it is wanted; an editor is served without it where the port is taken."""
        async with AsyncExitStack() as stack:
            if options.http is not None:
                from lsp_server.endpoint import Endpoint

                try:
                    await stack.enter_async_context(
                        _listening(Endpoint(server.session), options.http)
                    )
                except OSError as error:
                    _say_taken(options.http, error)
            yield

    if options.tcp is None:
        if sys.stdin.isatty():
            print("waiting for an editor to speak on stdin; Ctrl-C ends", file=sys.stderr)
        return transport.serve_stdio(server.protocol, beside)

    def listening(at: int) -> None:
        print(f"listening on {LOOPBACK}:{at}", file=sys.stderr, flush=True)

    try:
        return transport.serve_tcp(server.protocol, options.tcp, listening, beside)
    except OSError as error:
        _say_taken(options.tcp, error)
        return 2


def _serve_http(port: int, file: Path | None) -> int:
    """The endpoint without an editor, until it is interrupted."""
    from lsp_server import endpoint

    settings = _settings(file)
    if settings is None:
        return 2

    async def serve() -> None:
        session = endpoint.alone(settings, _warn)
        try:
            async with _listening(endpoint.Endpoint(session), port):
                await endpoint.begin(session)
                _warn(session.index.problem)
                await asyncio.Event().wait()
        finally:
            session.engine.close()

    try:
        asyncio.run(serve())
    except OSError as error:
        _say_taken(port, error)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _settings(file: Path | None) -> Settings | None:
    """The settings of a file; None where it cannot be read, which is said."""
    from lsp_server.settings import parse

    try:
        raw = None if file is None else json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        _warn(f"{file} cannot be read as JSON: {error}")
        return None
    settings, problems = parse(raw)
    for problem in problems:
        _warn(problem)
    return settings


@asynccontextmanager
async def _listening(endpoint: Endpoint, port: int) -> AsyncIterator[None]:
    from lsp_server.web import LOOPBACK

    async with endpoint.listening(port) as at:
        print(f"listening on http://{LOOPBACK}:{at}", file=sys.stderr, flush=True)
        yield


def _say_taken(port: int, error: OSError) -> None:
    _warn(f"cannot listen on port {port}: {error}")


def _warn(problem: str) -> None:
    if problem:
        print(f"footnote serve: {problem}", file=sys.stderr, flush=True)
