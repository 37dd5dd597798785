"""A headless browser that counts console errors and requests to other hosts against the test that uses it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, WebSocket, sync_playwright

SHOTS = Path(__file__).parents[1] / "artefacts" / "dashboard"
TIMEOUT_MS = 60_000
_FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
_CANVASES = "[data-testid='stEChartsChart'] canvas"
# Streamlit asks for these two below the page's own path before it finds them at the root.
_KNOWN_404 = re.compile(r"/(incidents|logs)/_stcore/(health|host-config)$")


@contextmanager
def launched(executable: str) -> Iterator[Browser]:
    """A browser of its own."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable, args=_FLAGS)
        yield opened
        opened.close()


@contextmanager
def watched_page(browser: Browser) -> Iterator[Page]:
    """A fresh page that must end without a console error and without a request to another host."""
    wrong: list[str] = []
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    opened.set_default_timeout(TIMEOUT_MS)
    opened.on("console", lambda message: wrong.extend(_console_error(message)))
    opened.on("pageerror", lambda error: wrong.append(f"script error: {error}"))
    opened.on("request", lambda request: wrong.extend(_foreign(request)))
    opened.on("websocket", lambda socket: wrong.extend(_foreign(socket)))
    yield opened
    opened.close()
    assert wrong == []


def _console_error(message: ConsoleMessage) -> list[str]:
    known = "404" in message.text and _KNOWN_404.search(message.location.get("url", ""))
    return [f"{message.text} {message.location}"] if message.type == "error" and not known else []


def _foreign(asked: Request | WebSocket) -> list[str]:
    own = re.match(r"(https?|wss?)://(127\.0\.0\.1|localhost)(:\d+)?/|data:|blob:", asked.url)
    return [] if own else [f"asked {asked.url}"]


def shoot(page: Page, name: str) -> None:
    """Keep a picture as a test artefact."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png")


def settled(page: Page, charts: int = 0) -> None:
    """Wait until the page is drawn: no skeleton, nothing running, so many charts with something in them."""
    page.wait_for_selector('[data-testid="stSkeleton"]', state="detached")
    page.wait_for_function(
        "([canvases, n]) => [...document.querySelectorAll(canvases)].filter(c => c.width > 0).length >= n",
        arg=[_CANVASES, charts],
    )
    page.wait_for_timeout(300)  # the last frame of the canvas
