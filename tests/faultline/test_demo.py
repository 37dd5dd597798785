"""The demo as a person meets it: one command, a page in a browser, an incident with suspects, the truth beside it."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from chromium import SHOTS, settled, shoot
from playwright.sync_api import Page

IMAGES = Path(__file__).parents[2] / "docs" / "images"
FIRST_ROWS_MS = 150_000  # the page opens before the simulator and the pipeline have begun
LIVE_S = 240  # at most: the test ends the demo once it has seen enough


@pytest.mark.browser
@pytest.mark.timeout(400)
def test_demo_shows_an_incident_in_the_browser_and_the_truth_on_the_terminal(page: Page, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "faultline", "demo", "--seconds", str(LIVE_S), "--seed", "4", "--json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        assert demo.stderr is not None
        said: list[str] = []
        address = _address(demo.stderr, said)
        rest = threading.Thread(target=lambda: said.extend(demo.stderr or ()))
        rest.start()
        incident = _watch(page, address, said)
        page.goto("about:blank")  # the server goes away now, which is no fault of the page
        demo.send_signal(signal.SIGINT)
        printed = demo.stdout.read()
        assert demo.wait(120) == 0
        rest.join()
    result = json.loads(printed)
    counts = result["accounting"]
    assert counts["read"] == counts["stored"] + counts["joined"] + counts["dead_lettered"] + counts["filtered"]
    fault = result["faults"][0]
    caught = [i for i in result["incidents"] if _during(i["opened"], fault)]
    assert incident in [i["id"] for i in caught]
    assert caught[0]["suspects"][0]["rank"] == 1
    assert any("simulated truth:" in line for line in said)
    assert "fault" not in page.url


def _address(lines: object, said: list[str]) -> str:
    for line in lines:  # type: ignore[attr-defined]
        said.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found.group()
    raise AssertionError(f"no address of the dashboard in: {said}")


def _watch(page: Page, address: str, said: list[str]) -> str:
    """See each page, and the incident of the live fault appear; return its id as the terminal prints it."""
    page.goto(address)
    page.wait_for_selector("text=Log records in steps", timeout=FIRST_ROWS_MS)
    opened = _first_incident(page, said)
    page.wait_for_selector("text=Suspects, evidence and timeline")
    settled(page, charts=2)
    _keep(page, "overview")
    page.goto(f"{address}/incidents?incident={opened}")
    page.wait_for_selector("text=What happened")
    settled(page, charts=1)
    _keep(page, "incident")
    page.goto(f"{address}/incidents")
    page.wait_for_selector("text=Open")
    shoot(page, "demo-incidents")
    page.goto(f"{address}/logs")
    page.wait_for_selector("text=/[0-9]+ templates/")
    settled(page)
    shoot(page, "demo-logs")
    return opened


def _first_incident(page: Page, said: list[str]) -> str:
    for _ in range(200):
        if found := re.search(r"incident ([0-9a-f]{16}) opened", "".join(said)):
            return found.group(1)
        page.wait_for_timeout(1000)
    raise AssertionError("no incident within 200 s; the demo said: " + "".join(said))


def _keep(page: Page, name: str) -> None:
    """Keep a picture; with FAULTLINE_UPDATE_IMAGES=1 it becomes the README's."""
    shoot(page, name)
    if os.environ.get("FAULTLINE_UPDATE_IMAGES") == "1":
        IMAGES.mkdir(parents=True, exist_ok=True)
        (IMAGES / f"{name}.png").write_bytes((SHOTS / f"{name}.png").read_bytes())


def _during(opened: str, fault: dict[str, str]) -> bool:
    start, end = datetime.fromisoformat(fault["start"]), datetime.fromisoformat(fault["end"])
    return start <= datetime.fromisoformat(opened) <= end + timedelta(seconds=60)
