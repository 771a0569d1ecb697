"""Where a package lives and under which licence a file stands."""

import json
import re
from email.parser import HeaderParser
from pathlib import PurePosixPath

_SPDX = re.compile(r"SPDX-License-Identifier:[ \t]*([A-Za-z0-9.+() \t-]{2,120})")
_FOREIGN = re.compile(
    r"gnu (?:lesser |library |affero )?(?:general )?public licen[sc]e"
    r"|\b[al]?gpl(?:[ -]?v?[123]|\b)"
    r"|mozilla public licen[sc]e|\bmpl[ -]?(?:v\.? ?)?[12]\b"
    r"|eclipse public licen[sc]e|common development and distribution licen[sc]e"
    r"|\bcc[ -]by[ -](?:nc|nd|sa)\b|creative ?commons[^\n]{0,60}(?:noncommercial|non-commercial|sharealike|share-alike)"
    r"|creativecommons\.org/licenses/by-(?:nc|nd|sa)"
    r"|proprietary and confidential|confidential and proprietary|(?:this is|nvidia) proprietary"
    r"|retain all intellectual property"
    r"|business source licen[sc]e|server side public licen[sc]e|commons clause|elastic licen[sc]e",
    re.IGNORECASE,
)
_LICENSE_FILE = re.compile(
    r"(?:licen[sc]es?|copying|copyright|notice|unlicense|patents|third[-_]?party[-_]?\w*)"
    r"(?:[-_.][\w.-]*)?",
    re.IGNORECASE,
)
_LICENSE_ENDINGS = {"", ".md", ".rst", ".txt", ".json", ".yaml", ".yml", ".toml"}


def is_license_file(path: str) -> bool:
    """Licence and notice files, whose text is not the package's own work."""
    name = PurePosixPath(path)
    return name.suffix.lower() in _LICENSE_ENDINGS and bool(_LICENSE_FILE.fullmatch(name.stem))


def permitted(expression: str, allowed: frozenset[str]) -> bool:
    """Whether an SPDX expression can be satisfied with allowed licences alone."""
    expression = expression.replace("(", " ").replace(")", " ").strip()
    return any(
        all(part.split(" WITH ")[0].strip() in allowed for part in choice.split(" AND "))
        for choice in expression.split(" OR ")
    )


def header_license(text: str, limit: int) -> str | None:
    """The SPDX expression a file's own header names, if any."""
    at = text.find("SPDX-License-Identifier:", 0, limit)
    if at < 0:
        return None
    match = _SPDX.match(text, at)
    if not match:
        return None
    expression = re.sub(r"\s+", " ", match[1]).strip(" -")
    return expression or None


def foreign_license(text: str, limit: int) -> str | None:
    """What a file's header says when it names a licence we do not take."""
    match = _FOREIGN.search(text, 0, limit)
    return match[0] if match else None


def wheel_home(metadata: str) -> str | None:
    """Repository, else home page, from a wheel's METADATA."""
    message = HeaderParser().parsestr(metadata)
    labelled: dict[str, str] = {}
    for value in message.get_all("Project-URL") or []:
        label, _, address = str(value).partition(",")
        labelled.setdefault(re.sub(r"[^a-z]", "", label.lower()), address.strip())
    for label in ("source", "sourcecode", "repository", "code", "github", "homepage", "home"):
        if home := https(labelled.get(label, "")):
            return home
    return https(str(message.get("Home-page") or ""))


def npm_home(package_json: str) -> str | None:
    """Repository, else home page, from package.json."""
    try:
        package = json.loads(package_json)
    except ValueError:
        return None
    if not isinstance(package, dict):
        return None
    repository = package.get("repository")
    if isinstance(repository, dict):
        repository = repository.get("url")
    homepage = package.get("homepage")
    for value in (repository, homepage):
        if isinstance(value, str) and (home := https(value)):
            return home
    return None


def https(address: str) -> str | None:
    """The address as a browser takes it, or None: `git+ssh://git@github.com/a/b.git` and kin."""
    address = address.strip().removeprefix("git+")
    if re.fullmatch(r"[\w.-]+/[\w.-]+", address):
        address = "github:" + address
    address = re.sub(r"^github:", "https://github.com/", address)
    address = re.sub(r"^gitlab:", "https://gitlab.com/", address)
    address = re.sub(r"^(?:ssh://)?git@([\w.-]+)[:/]", r"https://\1/", address)
    address = re.sub(r"^(?:git|http|ssh)://(?:[\w.-]+@)?", "https://", address)
    if not re.match(r"https://[\w-]+\.[\w.-]+", address):
        return None
    return address.split("#")[0].rstrip("/").removesuffix(".git")


def package_url(kind: str, name: str, version: str) -> str:
    """The package URL (purl) of a source that names no home."""
    scheme = {"pypi": "pypi", "npm": "npm", "debian": "deb/debian"}.get(kind, "generic")
    address = f"pkg:{scheme}/{name.replace('@', '%40')}"
    return f"{address}@{version}" if version else address
