"""What is replaced, and what only looks alike."""

import ast
import time

import pytest

from indexer.curation.redaction import SYNTHETIC_IPV4, looks_random, redact

SECRET = "aB3dE6gH9jK2mN5pQ8sT1vW4"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Author: Ann <ann.lee@posteo.de>", "Author: Ann <<EMAIL>>"),
        ('email="bob+x@mail.acme.co.uk"', 'email="<EMAIL>"'),
        (f"api_key = '{SECRET}'", "api_key = '<KEY>'"),
        (f'{{"client_secret": "{SECRET}"}}', '{"client_secret": "<KEY>"}'),
        (f"os.environ['AUTH_TOKEN'] = '{SECRET}'", "os.environ['AUTH_TOKEN'] = '<KEY>'"),
        ("id = AKIAIOSFODNN7EXAMPLQ", "id = <KEY>"),
        ("ghp_" + "a1B2c3D4e5F6" * 3, "<KEY>"),
        ("xoxb-123456789012-abcDEF", "<KEY>"),
        ("sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc", "<KEY>"),
        ("AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q", "<KEY>"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3.dozjgNryP4J3jVmNHl0w5N", "<KEY>"),
        ("connect('52.14.3.77')", f"connect('{SYNTHETIC_IPV4[0]}')"),
        ("the dns is 5.6.7.8", f"the dns is {SYNTHETIC_IPV4[0]}"),
        ("2a00:1450:4001:81b::200e", "fd00:c2b6:b24b:be67:2827:688d:e6a1:6a3b"),
    ],
)
def test_replaced(text, expected):
    assert redact(text)[0] == expected


@pytest.mark.parametrize(
    "text",
    [
        "git clone git@github.com:a/b.git",
        "me@example.com, you@test.org, x@sub.example.net",
        "logo@2x.png and left@right.shape and W@x.T",
        "@app.route('/')\n@decorator.name",
        "npm i react@18.2.0",
        "https://user@host.com/path",
        "127.0.0.1 10.0.0.8 192.168.0.1 0.0.0.0 255.255.255.0 224.0.0.1 203.0.113.7",
        "8.8.8.8 and 1.1.1.1",
        "version = '52.14.3.77'",
        "package==52.14.3.77",
        "1.2.3.4 in the docs",
        "1.2.3.4.5 and 300.1.1.1 and 12.34.56.0",
        'ObjectIdentifier("2.5.29.15")',
        "a[2001::2], 12:30:45, std::vector, 2001:db8::1, fe80::1, ::1",
        "2001:4860:4860::8888",
        "token = 'the_name_of_some_variable'",
        "secret = '00000000-1111-2222-3333-444455556666'",
        f"digest = '{SECRET}'",
        "password = 'passwordpasswordpassword'",
        "eyJ is how they begin",
        "-----BEGIN PUBLIC KEY-----",
    ],
)
def test_left_alone(text):
    assert redact(text) == (text, {})


def test_the_same_address_gets_the_same_replacement_within_a_text():
    text, counts = redact("52.14.3.77 52.14.3.78 52.14.3.77")
    first, second, third = text.split()
    assert first == third != second
    assert counts == {"ip": 3}


@pytest.mark.parametrize("quote", ['"', '"""'])
def test_a_private_key_block_goes_and_the_code_still_parses(quote):
    lines = [
        "-----BEGIN RSA PRIVATE KEY-----",
        "MIIEpQIBAAKCAQEAwK7YK3wbv4N",
        "-----END RSA PRIVATE KEY-----",
    ]
    body = "\n".join(lines) if len(quote) == 3 else "\\n".join(lines)
    text, counts = redact(f"key = {quote}{body}{quote}\n")
    ast.parse(text)
    assert "MIIE" not in text
    assert counts == {"key": 1}


def test_kinds_are_counted_apart():
    counts = redact(f"a@posteo.de b@posteo.de 52.14.3.77 token='{SECRET}'")[1]
    assert counts == {"email": 2, "ip": 1, "key": 1}


@pytest.mark.parametrize(
    "hostile",
    ["a" * 50_000 + "@", "a@" + "b." * 25_000, "1." * 50_000, "2001:" * 20_000,
     "token = '" * 20_000, "'" + "aA1" * 30_000, "-----BEGIN PRIVATE KEY-----" * 4_000,
     "eyJ" + "a" * 50_000, "@" * 50_000, ":" * 50_000],
)  # fmt: skip
def test_hostile_texts_take_linear_time(hostile):
    """Quadratic work on these would take minutes, not a fraction of a second."""
    start = time.process_time()
    redact(hostile)
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("value", "random"),
    [(SECRET, True), ("0123456789abcdef" * 2, True), ("abcdef" * 5, False),
     ("aaaaaaaaaaaaaaaaaaaa1A2", False), ("AVeryLongCamelCaseName2", False)],
)  # fmt: skip
def test_what_looks_random(value, random):
    assert looks_random(value) is random
