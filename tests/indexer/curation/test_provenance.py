"""Licences and home pages, as packages write them."""

import pytest

from indexer.curation.provenance import (
    header_license,
    https,
    is_license_file,
    npm_home,
    package_url,
    permitted,
    wheel_home,
)

ALLOWED = frozenset({"MIT", "Apache-2.0", "BSD-3-Clause"})


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT OR GPL-2.0-only", True),
        ("MIT AND GPL-2.0-only", False),
        ("(MIT AND Apache-2.0) OR GPL-2.0-only", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("", False),
        ("mit", False),
    ],
)
def test_an_expression_must_be_satisfiable_with_allowed_licences(expression, allowed):
    assert permitted(expression, ALLOWED) is allowed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# SPDX-License-Identifier: MIT\n", "MIT"),
        ("/* SPDX-License-Identifier: MIT OR Apache-2.0 */", "MIT OR Apache-2.0"),
        ("// SPDX-License-Identifier:   BSD-3-Clause  \r\n", "BSD-3-Clause"),
        ("# SPDX-License-Identifier:\n", None),
        ("no header", None),
        ("x" * 100 + "SPDX-License-Identifier: MIT", None),
    ],
)
def test_a_header_names_its_licence(text, expected):
    assert header_license(text, 60) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [("LICENSE", True), ("a/LICENSE-MIT.md", True), ("COPYING.txt", True), ("NOTICE.rst", True),
     ("third-party-notices.txt", True), ("license.py", False), ("licensing.md", False),
     ("notice_board.md", True), ("src/copying.js", False)],
)  # fmt: skip
def test_licence_files_are_known_by_name(path, expected):
    assert is_license_file(path) is expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("git+https://github.com/a/b.git", "https://github.com/a/b"),
        ("git+ssh://git@github.com/a/b.git", "https://github.com/a/b"),
        ("git@gitlab.com:a/b.git", "https://gitlab.com/a/b"),
        ("git://github.com/a/b.git#main", "https://github.com/a/b"),
        ("http://example.org/", "https://example.org"),
        ("a/b", "https://github.com/a/b"),
        ("github:a/b", "https://github.com/a/b"),
        ("gitlab:a/b", "https://gitlab.com/a/b"),
        ("javascript:alert(1)", None),
        ("file:///etc/passwd", None),
        ("UNKNOWN", None),
        ("", None),
    ],
)
def test_addresses_become_links(address, expected):
    assert https(address) == expected


def test_a_wheel_prefers_its_repository_to_its_home_page():
    metadata = (
        "Metadata-Version: 2.1\nName: a\nHome-page: https://a.example.org\n"
        "Project-URL: Documentation, https://docs.example.org\n"
        "Project-URL: Source Code, https://github.com/a/a\n\nLong text\nHome-page: https://no\n"
    )
    assert wheel_home(metadata) == "https://github.com/a/a"
    assert wheel_home("Name: a\nHome-page: http://a.example.org\n\n") == "https://a.example.org"
    assert wheel_home("Name: a\nHome-page: UNKNOWN\n\n") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"repository": {"url": "git+https://github.com/a/b.git"}}', "https://github.com/a/b"),
        ('{"repository": "a/b", "homepage": "https://h.org"}', "https://github.com/a/b"),
        ('{"repository": 3, "homepage": "https://h.org/"}', "https://h.org"),
        ("[]", None),
        ("{broken", None),
    ],
)
def test_npm_packages_tell_their_home(text, expected):
    assert npm_home(text) == expected


def test_a_package_url_stands_in():
    assert package_url("pypi", "a", "1") == "pkg:pypi/a@1"
    assert package_url("npm", "@s/a", "1") == "pkg:npm/%40s/a@1"
    assert package_url("folder", "a", "1") == "pkg:generic/a@1"
    assert package_url("folder", "a", "") == "pkg:generic/a"
