"""OpenVINO without the telemetry that its converter brings along: no such module exists for it."""

import sys
from typing import Any, cast

# Its import looks for the package and does without where there is none.
cast(dict[str, Any], sys.modules).setdefault("openvino_telemetry", None)

import openvino as ov  # noqa: E402
from openvino import opset13 as op  # noqa: E402
from openvino._offline_transformations import paged_attention_transformation  # noqa: E402

__all__ = ["op", "ov", "paged_attention_transformation"]
