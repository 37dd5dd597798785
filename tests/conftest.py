"""Fixtures shared by all rooms: a real Kafka broker and Chromium, and what happens where they are missing.

`FAULTLINE_REQUIRE=kafka,browser` turns the skip of a test that needs one of them into a failure.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # modules beside this file, whatever folder a test lies in

from kafka_broker import BrokerUnavailable, KafkaBroker

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def _unavailable(what: str, why: str) -> NoReturn:
    required = os.environ.get("FAULTLINE_REQUIRE", "").replace(" ", "").split(",")
    if what in required:
        pytest.fail(f"FAULTLINE_REQUIRE names {what}, but {why}", pytrace=False)
    pytest.skip(f"needs {what}: {why}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run in several processes, those that need a broker share one, and a file stays in one process."""
    for item in items:
        shared = "kafka_broker" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("kafka" if shared else str(item.path)))


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A running Apache Kafka: `.bootstrap`, `create_topic()`, `stop()`, `kill()`, `start()`, `restart()`."""
    try:
        broker = KafkaBroker(tmp_path_factory.mktemp("kafka"))
        broker.start()
    except BrokerUnavailable as error:
        _unavailable("kafka", str(error))
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Path of a Chromium or Chrome to drive."""
    for name in _BROWSERS:
        if path := shutil.which(name):
            return path
    _unavailable("browser", f"none of {', '.join(_BROWSERS)} is on the PATH")


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator["Browser"]:
    """A headless browser."""
    from chromium import launched

    with launched(chromium_path) as opened:
        yield opened


@pytest.fixture
def page(browser: "Browser") -> Iterator["Page"]:
    """A page that must end without a console error and without a request to another host."""
    from chromium import watched_page

    with watched_page(browser) as opened:
        yield opened
