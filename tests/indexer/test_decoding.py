"""Bytes of files, as text."""

from __future__ import annotations

import pytest

from indexer.decoding import NoText, decoded, is_minified

TEXTS = {
    "UTF-8": ("# café €\n".encode(), "# café €\n"),
    "UTF-8 with a mark": ("# café\n".encode("utf-8-sig"), "# café\n"),
    "UTF-16 with a mark": ("x = 'é'\n".encode("utf-16"), "x = 'é'\n"),
    "UTF-16, the other way round": (b"\xfe\xff" + "x\n".encode("utf-16-be"), "x\n"),
    "UTF-32 with a mark": ("x\n".encode("utf-32"), "x\n"),
    "Windows": ("# 5 €, café\n".encode("cp1252"), "# 5 €, café\n"),
    "ISO Latin": (b"# caf\xe9 \x81\n", "# caf\xe9 \x81\n"),
    "declared": ("# -*- coding: shift_jis -*-\n# 日本\n".encode("shift_jis"), "# -*- coding: shift_jis -*-\n# 日本\n"),
    "declared wrongly": (b"# coding: no-such\n# caf\xe9\n", "# coding: no-such\n# café\n"),
    "declared as no text": (b"# coding: rot13\n# caf\xe9\n", "# coding: rot13\n# café\n"),
    "nothing": (b"", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_text_is_read_whatever_its_encoding(name: str) -> None:
    data, text = TEXTS[name]

    assert decoded(data) == text


@pytest.mark.parametrize("data", [b"\x7fELF\0\0", b"\x89PNG\r\n\x1a\n\xff\x01\x02\x03" * 9])
def test_binary_is_no_text(data: bytes) -> None:
    with pytest.raises(NoText, match="binary"):
        decoded(data)


def test_long_lines_are_minified_code_but_not_prose() -> None:
    packed = "a=1;" * 2000

    assert is_minified(packed, "javascript")
    assert not is_minified(packed, "markdown")
    assert not is_minified(packed[:400], "javascript")
    assert not is_minified("a = 1\r" * 2000, "python")
