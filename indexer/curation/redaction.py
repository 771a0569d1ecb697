"""Replaces e-mail addresses, public IP addresses and keys by rule, and counts them.

Which exceptions hold is StarCoder's choice (arXiv 2305.06161, section 4.3), plus: example
domains and `git@` are nobody's address. All patterns run in linear time.
"""

import ipaddress
import math
import re
from collections import Counter
from collections.abc import Callable

EMAIL = "<EMAIL>"
KEY = "<KEY>"
SYNTHETIC_IPV4 = ("172.16.31.10", "172.16.58.3", "172.16.17.32", "192.168.127.12", "192.168.3.11")
SYNTHETIC_IPV6 = (
    "fd00:c2b6:b24b:be67:2827:688d:e6a1:6a3b",
    "fd00:a516:7c1b:17cd:6d81:2137:bd2a:2c5b",
    "fc00:e968:6179::de52:7100",
    "fc00:db20:35b:7399::5",
    "fdf8:f53e:61e4::18",
)
_PUBLIC_DNS = frozenset(
    """8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 76.76.19.19 76.223.122.150 9.9.9.9 149.112.112.112
    2001:4860:4860::8888 2001:4860:4860::8844 2606:4700:4700::1111 2606:4700:4700::1001
    208.67.222.222 208.67.220.220 8.26.56.26 8.20.247.20 94.140.14.14 94.140.15.15""".split()
)

_EMAIL = re.compile(
    r"(?<![\w.+%@/:-])([A-Za-z0-9][\w.+%-]{0,63})@((?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.){1,6})"
    r"([A-Za-z]{2,24})(?![\w@(]|\.\w|-\w)"
)
_TOP_LEVEL = frozenset(
    """com org net edu gov mil int info biz io dev ai app co me tv us uk de fr nl be ch at it es pt nu
    se no fi dk pl cz sk hu ro bg gr ru ua by kz tr il in cn jp kr tw hk sg my th vn id ph au nz ca
    mx br ar cl pe za ng ke eg ir pk bd lk ie is lt lv ee si hr rs eu asia cloud tech online
    software systems solutions consulting email name pro xyz site space codes
    university science foundation page blog network group team studio design digital agency""".split()
)
_EXAMPLE_DOMAIN = re.compile(
    r"(?:.*\.)?(?:example\.\w+|example|test|invalid|localhost|domain\.com|foo\.com|bar\.com|"
    r"email\.com|mail\.com|company\.com|yourdomain\.\w+|mydomain\.\w+|test\.\w+|foo\.bar)"
)
_NOBODY = frozenset({"git", "noreply", "no-reply", "hg", "svn", "user", "username", "name", "you"})

_IPV4 = re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])[23][0-9A-Fa-f]{3}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
_VERSION_BEFORE = re.compile(
    r"(?:version|release|ver|since|[=<>~!]=|\bv|section|rfc|oid|identifier)[^\n]{0,12}$", re.I
)

_TOKENS = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{36,255}\b|\bgithub_pat_[A-Za-z0-9_]{22,255}\b"
    r"|\bglpat-[A-Za-z0-9_-]{20}\b"
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,200}\b"
    r"|\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,200}\b"
    r"|\bAIza[0-9A-Za-z_-]{35}\b"
    r"|\bsk-(?:proj-|ant-)?[A-Za-z0-9_-]{32,200}\b"
    r"|\bhf_[A-Za-z]{34}\b|\bnpm_[A-Za-z0-9]{36}\b|\bpypi-AgEI[A-Za-z0-9_-]{50,200}\b"
    r"|\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b"
    r"|\beyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,2000}"
)
_TOKEN_MARKS = (
    "AKIA",
    "ASIA",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xox",
    "k_live_",
    "k_test_",
    "AIza",
    "sk-",
    "hf_",
    "npm_",
    "pypi-A",
    "SG.",
    "eyJ",
)
_BLOCK = re.compile(
    r"(-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----)([^-]{20,20000})(-----END )"
)
_QUOTED = re.compile(r"""["']([A-Za-z0-9+/_=-]{20,200})(?=["'])""")
_KEY_NAME = re.compile(
    r"""(?:(?:api|access|auth|secret|private|account|encryption|client|signing|shared)"""
    r"""[_-]?(?:key|secret|token)|secret|token|passw(?:or)?d|credential)"""
    r"""["'\]\w-]{0,20}\s{0,3}[:=]{1,2}\s{0,3}[bru]{0,2}$""",
    re.IGNORECASE,
)
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.I)


def redact(text: str) -> tuple[str, dict[str, int]]:
    """The text with replacements, and how many of each kind: email, ip, key.

    The same value gives the same replacement within a text.
    """
    counts: Counter[str] = Counter()
    text = _redact_keys(text, counts)
    if "@" in text:
        text = _EMAIL.sub(_counting(counts, "email", _email), text)
    if text.count(".") >= 3:
        seen: dict[str, str] = {}
        text = _IPV4.sub(_counting(counts, "ip", lambda match: _ipv4(match, seen)), text)
    if text.count(":") >= 2:
        seen_6: dict[str, str] = {}
        text = _IPV6.sub(_counting(counts, "ip", lambda match: _ipv6(match, seen_6)), text)
    return text, dict(counts)


def _counting(
    counts: Counter[str], kind: str, replace: Callable[[re.Match[str]], str]
) -> Callable[[re.Match[str]], str]:
    def replacement(match: re.Match[str]) -> str:
        value = replace(match)
        if value != match[0]:
            counts[kind] += 1
        return value

    return replacement


def _redact_keys(text: str, counts: Counter[str]) -> str:
    if any(mark in text for mark in _TOKEN_MARKS):
        text = _TOKENS.sub(_counting(counts, "key", _token), text)
    if "PRIVATE KEY" in text:
        text = _BLOCK.sub(_counting(counts, "key", lambda m: f"{m[1]}{KEY}{m[3]}"), text)
    return _QUOTED.sub(_counting(counts, "key", _assigned), text)


def _token(match: re.Match[str]) -> str:
    return KEY if entropy(match[0]) > 3.0 else match[0]


def _assigned(match: re.Match[str]) -> str:
    """A dense value behind a name such as `api_key =`."""
    if not looks_random(match[1]):
        return match[0]
    before = match.string[max(0, match.start() - 60) : match.start()]
    return match[0][0] + KEY if _KEY_NAME.search(before) else match[0]


def looks_random(value: str) -> bool:
    """Whether a value reads like a generated secret: mixed, dense, no words, no UUID."""
    digits = sum(map(str.isdigit, value))
    letters = sum(map(str.isalpha, value))
    if digits < 2 or letters < 4 or _UUID.fullmatch(value):
        return False
    mixed = value.lower() != value and value.upper() != value
    hexadecimal = all(each in "0123456789abcdefABCDEF" for each in value)
    if hexadecimal:
        return len(value) >= 32 and entropy(value) > 3.0
    return mixed and entropy(value) > 3.7


def entropy(value: str) -> float:
    """Shannon entropy in bits per character."""
    total = len(value)
    return -sum(n / total * math.log2(n / total) for n in Counter(value).values())


def _email(match: re.Match[str]) -> str:
    local, domain, top = match[1].lower(), match[2].lower(), match[3].lower()
    if top not in _TOP_LEVEL or local in _NOBODY or _EXAMPLE_DOMAIN.fullmatch(domain + top):
        return match[0]
    return EMAIL


def _ipv4(match: re.Match[str], seen: dict[str, str]) -> str:
    value = match[0]
    try:
        address = ipaddress.IPv4Address(value)
    except ValueError:
        return value
    if not address.is_global or address.is_multicast or value in _PUBLIC_DNS:
        return value
    around = match.string[max(0, match.start() - 100) : match.end() + 100].lower()
    if len(value) == 7 and "dns" not in around and "server" not in around:
        return value  # 1.2.3.4 is a version or an example
    if _VERSION_BEFORE.search(match.string, max(0, match.start() - 24), match.start()):
        return value
    if value.endswith(".0"):
        return value  # a network or a version, no machine
    return seen.setdefault(value, SYNTHETIC_IPV4[len(seen) % len(SYNTHETIC_IPV4)])


def _ipv6(match: re.Match[str], seen: dict[str, str]) -> str:
    value = match[0]
    try:
        address = ipaddress.IPv6Address(value)
    except ValueError:
        return value
    if not address.is_global or value.count(":") < 3 or value in _PUBLIC_DNS:
        return value
    return seen.setdefault(value, SYNTHETIC_IPV6[len(seen) % len(SYNTHETIC_IPV6)])
