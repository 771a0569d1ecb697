"""Messages between a completer and its worker process: JSON, and behind it the texts around a gap as they are.

Plain values only: a peer can send wrong values, but no code.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

from engine.api import (
    Alternative,
    Ban,
    Completion,
    CompletionOptions,
    Excerpt,
    Gap,
    ModelInfo,
)

_LENGTHS = struct.Struct(">III")  # of the JSON, the text before the gap, the text behind it
_LARGEST = 16 << 20  # bytes; a gap is cropped to far less


class BrokenFrame(Exception):
    """The stream does not hold messages of ours."""


def write_frame(stream: BinaryIO, message: Mapping[str, Any], gap: Gap | None = None) -> None:
    """Send one message; OSError or ValueError when nobody reads any more."""
    before = after = b""
    if gap is not None:
        # Lone surrogates are text too.
        before, after = (each.encode("utf-8", "surrogatepass") for each in (gap.prefix, gap.suffix))
        rest = {
            "path": gap.path,
            "language": gap.language,
            "skipped": gap.skipped,
            "context": [(each.path, each.text) for each in gap.context],
        }
        message = {**message, "gap": rest}
    body = json.dumps(message, default=plain).encode("ascii")
    lengths = _LENGTHS.pack(len(body), len(before), len(after))
    stream.write(b"".join((lengths, body, before, after)))
    stream.flush()


def read_frame(stream: BinaryIO) -> dict[str, Any] | None:
    """The next message, or None at the end; BrokenFrame when something else comes.

    A message about a gap has it as a `Gap`.
    """
    head = _exactly(stream, _LENGTHS.size)
    if head is None:
        return None
    lengths = _LENGTHS.unpack(head)
    if sum(lengths) > _LARGEST:
        raise BrokenFrame(f"a message of {sum(lengths)} bytes")
    whole = _exactly(stream, sum(lengths))
    if whole is None:
        return None
    first, second = lengths[0], lengths[0] + lengths[1]
    try:
        message = json.loads(whole[:first])
        if isinstance(message, dict) and "gap" in message:
            before, after = (
                each.decode("utf-8", "surrogatepass")
                for each in (whole[first:second], whole[second:])
            )
            rest = message["gap"]
            context = tuple(Excerpt(*each) for each in rest.pop("context"))
            message["gap"] = Gap(before, after, **rest, context=context)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BrokenFrame(str(error)) from error
    if not isinstance(message, dict):
        raise BrokenFrame("a message that is no object")
    return message


def _exactly(stream: BinaryIO, count: int) -> bytes | None:
    """So many bytes, however they come; None where the stream ends before."""
    parts, left = [], count
    while left and (part := stream.read(left)):
        parts.append(part)
        left -= len(part)
    return None if left else b"".join(parts)


def plain(value: Any) -> dict[str, Any]:
    """A value of the boundary as JSON has it, but for the values in it; TypeError for others."""
    if not isinstance(value, Ban | Alternative | Completion | CompletionOptions | ModelInfo):
        raise TypeError(f"{type(value).__name__} does not travel")
    return {name: getattr(value, name) for name in value.__slots__}


def options_of(values: Mapping[str, Any]) -> CompletionOptions:
    banned = tuple(Ban(**each) for each in values.get("banned", ()))
    return CompletionOptions(**{**values, "banned": banned})


def completion_of(values: Mapping[str, Any]) -> Completion:
    others = tuple(Alternative(**each) for each in values.get("alternatives", ()))
    return Completion(**{**values, "alternatives": others})
