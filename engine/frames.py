"""Messages between a completer and its worker process: JSON behind four bytes of length.

Plain values only: a peer can send wrong values, but no code.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, BinaryIO

from engine.api import Alternative, Ban, Completion, CompletionOptions, Gap, ModelInfo

_LENGTH = struct.Struct(">I")
_LARGEST = 16 << 20  # bytes; a gap is cropped to far less


class BrokenFrame(Exception):
    """The stream does not hold messages of ours."""


def write_frame(stream: BinaryIO, message: Mapping[str, Any]) -> None:
    """Send one message; OSError or ValueError when nobody reads any more."""
    # Escaped to ASCII, JSON carries lone surrogates too.
    body = json.dumps(message).encode("ascii")
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def read_frame(stream: BinaryIO) -> dict[str, Any] | None:
    """The next message, or None at the end; BrokenFrame when something else comes."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > _LARGEST:
        raise BrokenFrame(f"a message of {length} bytes")
    body = stream.read(length)
    if len(body) < length:
        return None
    try:
        message = json.loads(body)
    except ValueError as error:
        raise BrokenFrame(str(error)) from error
    if not isinstance(message, dict):
        raise BrokenFrame("a message that is no object")
    return message


def plain(value: Gap | CompletionOptions | Completion | ModelInfo) -> dict[str, Any]:
    """A value of the boundary as JSON has it."""
    return asdict(value)


def options_of(values: Mapping[str, Any]) -> CompletionOptions:
    banned = tuple(Ban(**each) for each in values.get("banned", ()))
    return CompletionOptions(**{**values, "banned": banned})


def completion_of(values: Mapping[str, Any]) -> Completion:
    others = tuple(Alternative(**each) for each in values.get("alternatives", ()))
    return Completion(**{**values, "alternatives": others})
