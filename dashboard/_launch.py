"""Start the dashboard's web server in this process."""

import atexit
import gc
import importlib
import logging
import os
import sys
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from dashboard import _auth

DEFAULT_PORT = 8501
_WARM = (
    "pandas",
    "pyarrow",
    "duckdb",
    "deltalake",
    "storage",
    "dashboard._overview",
    "dashboard._incidents",
    "dashboard._logs",
)


def launch(store_url: str, host: str = "127.0.0.1", port: int = DEFAULT_PORT, open_browser: bool = False) -> None:
    """Serve the dashboard of a store until SIGTERM or Ctrl-C, and print its address once it listens.

    `port` 0 takes a free one. Raises SettingsError where `host` can be reached from other machines and no sign-in
    is configured. The store may be missing or empty: the pages say so and fill by themselves later.
    """
    import streamlit as st

    from dashboard import _store

    os.environ["FAULTLINE_STORE"] = store_url
    _auth.check(host)
    # Lines at start-up that are no news to anyone; warnings and errors stay.
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.levelno >= logging.WARNING)
    logging.getLogger("streamlit.config").addFilter(lambda record: "please restart" not in record.getMessage())

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        _warm_up()
        _announce(host, open_browser)
        yield
        _store.reader.clear()

    config = {
        "server.address": host,
        "server.port": port,
        "server.headless": True,
        "server.enableXsrfProtection": True,
        "server.enableCORS": True,
        "browser.gatherUsageStats": False,
        "client.showErrorDetails": "none",
        "client.disableDataExport": True,
        "logger.hideWelcomeMessage": True,
    }
    st.App(Path(__file__).with_name("_app.py"), lifespan=lifespan).run(config=config)


def _warm_up() -> None:
    """Import what the pages need, then take it out of the collector's sight.

    Streamlit collects all generations after every run of a fragment; without this, each tick walks through every
    imported module (11.7 times the processor time, measured). At the end the collector sees everything again: DuckDB
    complains of what a process leaves behind.
    """
    for name in _WARM:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)


def _announce(host: str, open_browser: bool) -> None:
    import streamlit as st

    address = f"http://{f'[{host}]' if ':' in host else host}:{st.get_option('server.port')}"
    sys.stdout.write(f"Dashboard: {address}\n")
    sys.stdout.flush()
    if open_browser:
        webbrowser.open(address)
