"""How a model is best served: measured with it (`footnote eval policy`), kept in its footnote.json."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Serving:
    """What holds where neither the person nor the caller says anything else."""

    min_confidence: float = 0.0  # automatic suggestions less sure are not shown; 0 to 1
    multiline: bool = True  # automatic suggestions may have several lines
    prompt_tokens: int = 1024  # sentinels and path included
    context_tokens: int = 256  # for excerpts of other files, beside those of the prompt


USUAL = Serving()


def serving_from_json(values: Any) -> Serving:
    """Read what `serving_to_json` wrote; ValueError names what cannot be."""
    if not isinstance(values, Mapping):
        raise ValueError("serving is no object")
    known = asdict(Serving())
    for name, value in values.items():
        if name not in known:
            continue  # of a later version: this one serves without it
        wanted = (float, int) if isinstance(known[name], float) else type(known[name])
        if isinstance(value, bool) is not isinstance(known[name], bool) or not isinstance(
            value, wanted
        ):
            raise ValueError(f"serving.{name} cannot be {value!r}")
    serving = Serving(**{name: values[name] for name in known if name in values})
    if not 0.0 <= serving.min_confidence <= 1.0:
        raise ValueError(f"serving.min_confidence must be 0 to 1, not {serving.min_confidence}")
    if serving.prompt_tokens < 128:
        raise ValueError(f"serving.prompt_tokens must be 128 or more, not {serving.prompt_tokens}")
    if serving.context_tokens < 0:
        raise ValueError(f"serving.context_tokens must be 0 or more, not {serving.context_tokens}")
    return serving


def serving_to_json(serving: Serving) -> dict[str, Any]:
    return asdict(serving)
