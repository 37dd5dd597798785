"""The pages in a real browser, served by the real program."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import TIMEOUT_MS, settled, shoot
from playwright.sync_api import Browser, Page

from . import shop

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]


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


def test_the_first_visit_may_be_a_link_to_an_incident(address: str, page: Page) -> None:
    page.goto(f"{address}/incidents?incident={shop.ROOT_CAUSE_ID}")
    page.wait_for_selector("text=What happened")
    settled(page, charts=5)
    assert page.get_by_test_id("stTopNavLink").count() == 3  # the whole application, not the page alone
    shoot(page, "incident")


def test_overview(address: str, page: Page) -> None:
    page.goto(address)
    page.wait_for_selector("text=Suspected root cause: payments")
    page.wait_for_selector("text=Services, most anomalies first")
    settled(page, charts=2)
    shoot(page, "overview")
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


def test_an_interrupt_ends_it_without_a_complaint(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dashboard", "--store", str(tmp_path), "--port", "0", "--headless"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as program:
        assert program.stdout is not None
        program.stdout.readline()
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=20)
    assert "leaked" not in errors
