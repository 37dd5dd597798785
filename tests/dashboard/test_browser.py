"""The pages in a real browser, served by the real program."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from . import shop

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "artefacts" / "dashboard"
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
_CANVASES = "[data-testid='stEChartsChart'] canvas"
# Streamlit asks for these two below the page's own path before it finds them at the root.
KNOWN_404 = re.compile(r"/(incidents|logs)/_stcore/(health|host-config)$")
TIMEOUT_MS = 30_000


@pytest.fixture(scope="module")
def own_store(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that tests may write to."""
    return Path(shutil.copytree(store, tmp_path_factory.mktemp("browser") / "store"))


@pytest.fixture(scope="module")
def address(own_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the program serves the store; started from a foreign folder, so that settings are found from anywhere."""
    command = [sys.executable, "-m", "dashboard", "--store", str(own_store), "--port", "0", "--headless"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        command, cwd=tmp_path_factory.mktemp("elsewhere"), stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as program:  # fmt: skip
        assert program.stdout is not None
        first = program.stdout.readline()
        assert first.startswith("Dashboard: http://127.0.0.1:"), first
        yield first.split()[1]
        program.send_signal(signal.SIGTERM)
        assert program.wait(20) in (0, -signal.SIGTERM)
        assert program.stdout.read() == ""


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium_path, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
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
    known = "404" in message.text and KNOWN_404.search(message.location.get("url", ""))
    return [f"{message.text} {message.location}"] if message.type == "error" and not known else []


def _foreign(asked: Request) -> list[str]:
    own = re.match(r"(https?|wss?)://(127\.0\.0\.1|localhost)(:\d+)?/|data:|blob:", asked.url)
    return [] if own else [f"asked {asked.url}"]


def shoot(page: Page, name: str, readme: bool = False) -> None:
    """Keep a picture as an artefact; with FAULTLINE_UPDATE_IMAGES=1 also as the README's."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png")
    if readme and os.environ.get("FAULTLINE_UPDATE_IMAGES") == "1":
        page.screenshot(path=ROOT / "docs" / "images" / f"{name}.png")


def settled(page: Page, charts: int = 0) -> None:
    """Wait until the page is drawn: no skeleton, nothing running, so many charts with something in them."""
    page.wait_for_selector('[data-testid="stSkeleton"]', state="detached")
    page.wait_for_function(
        "([canvases, n]) => [...document.querySelectorAll(canvases)].filter(c => c.width > 0).length >= n",
        arg=[_CANVASES, charts],
    )
    page.wait_for_timeout(300)  # the last frame of the canvas


def test_the_first_visit_may_be_a_link_to_an_incident(address: str, page: Page) -> None:
    page.goto(f"{address}/incidents?incident={shop.ROOT_CAUSE_ID}")
    page.wait_for_selector("text=What happened")
    settled(page, charts=5)
    assert page.get_by_test_id("stTopNavLink").count() == 3  # the whole application, not the page alone
    shoot(page, "incident", readme=True)


def test_overview(address: str, page: Page) -> None:
    page.goto(address)
    page.wait_for_selector("text=Suspected root cause: payments")
    page.wait_for_selector("text=Services, most anomalies first")
    settled(page, charts=2)
    shoot(page, "overview", readme=True)
    assert page.title() == "Faultline"
    headline = page.locator(".fl-card").first.bounding_box()
    assert headline is not None
    assert headline["y"] + headline["height"] < 900  # on the first screen


def test_from_overview_to_the_incident_and_another_suspect(address: str, page: Page) -> None:
    page.goto(address)
    page.get_by_text("Suspects, evidence and timeline").click()
    page.wait_for_selector("text=cpu_utilization rose from 0.30 to 0.88")
    assert f"incident={shop.ROOT_CAUSE_ID}" in page.url
    page.get_by_role("radio", name="orders").click()
    page.wait_for_selector("text=request <*> timed out after <*> ms' 36 times")
    page.get_by_text("Read these records").click()
    page.wait_for_selector("text=All templates")
    assert "template=" in page.url


def test_dark_theme(address: str, browser: Browser) -> None:
    page = browser.new_page(color_scheme="dark", viewport={"width": 1440, "height": 900})
    page.goto(f"{address}/incidents?incident={shop.UNSURE_ID}", timeout=TIMEOUT_MS)
    page.wait_for_selector("text=Not enough evidence to name a root cause", timeout=TIMEOUT_MS)
    settled(page, charts=1)
    shoot(page, "incident-dark")
    background = page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    assert background == "rgb(17, 21, 27)"
    page.close()


def test_logs_show_hostile_text_as_text(address: str, page: Page) -> None:
    page.goto(f"{address}/logs?q=unexpected+input")
    page.wait_for_selector("text=1 template,")
    settled(page)
    shoot(page, "logs")
    page.goto(f"{address}/incidents?incident={shop.RESOLVED_ID}")
    page.wait_for_selector("text=<img src=x onerror=")
    settled(page)
    assert page.title() == "Faultline"  # the text would have changed it, had it run
    assert page.locator(".stApp img[src='x']").count() == 0
    assert page.locator("a[href*='evil']").count() == 0


def test_an_incident_appears_while_the_page_is_open(address: str, own_store: Path, page: Page) -> None:
    page.goto(f"{address}/incidents")
    page.wait_for_selector("text=search: cpu_utilization")
    assert page.get_by_text("bank: error_rate").count() == 0
    script = Path(shop.__file__)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, str(script), str(own_store), "incident"], check=True, env=environment)
    page.wait_for_selector("text=bank: error_rate")
    shoot(page, "incidents")


def test_a_host_others_can_reach_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dashboard", "--store", str(tmp_path), "--host", "0.0.0.0", "--headless"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the dashboard will not listen on 0.0.0.0 without sign-in")
    assert done.stderr.count("\n") == 1
