"""Checks of this machine and the store. Each check says what it found and, where that is not well, what would be."""

import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from faultline import settings
from telemetry import FaultlineError

LOW_DISK = 5 * 2**30
NO_DISK = 512 * 2**20
DASHBOARD_PORT = 8501
# Environment variables that are no settings: where the file is, tracebacks, and what tests insist on.
OTHER_VARIABLES = frozenset({settings.CONFIG_VARIABLE, "FAULTLINE_DEBUG", "FAULTLINE_REQUIRE"})


@dataclass(frozen=True)
class Check:
    """One finding; "FAIL" means that the main job cannot run here."""

    level: Literal["OK", "WARN", "FAIL"]
    name: str
    detail: str


def examine(config: Path | None, store: str | None, full: bool = False, repair: bool = False) -> Iterator[Check]:
    """Yield all findings; `store` None takes the one of the settings.

    `full`: also read every data file whole. `repair`: the same, and mend the tables of those that are broken.
    """
    yield check_python()
    yield check_packages()
    yield check_variables()
    try:
        found = settings.load(config, {"store": store})
    except FaultlineError as error:
        yield Check("FAIL", "settings", str(error))
        return
    yield Check("OK", "settings", "valid")
    yield from check_store(found.store)
    if full or repair:
        yield from check_files(found.store, repair)
    yield check_port("dashboard port", DASHBOARD_PORT)
    if found.metrics.port:
        yield check_port("metrics port", found.metrics.port)
    yield check_program("java", "only tests against a real Kafka need it (17 or newer)")
    yield check_program("mvn", "only tests against a real Kafka need it")
    yield check_program("chromium", "only tests of the dashboard need it")


def check_python() -> Check:
    """Check the interpreter's version."""
    text = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] in ((3, 11), (3, 12), (3, 13)):
        return Check("OK", "python", text)
    return Check("FAIL", "python", f"{text}; needed is 3.11, 3.12 or 3.13")


def check_packages() -> Check:
    """Check that every package this one depends on is installed."""
    names = [re.split(r"[\[<>=;! ]", line, maxsplit=1)[0] for line in requires("faultline") or ()]
    missing = [name for name in names if not _installed(name)]
    if missing:
        return Check("FAIL", "packages", f"missing: {', '.join(missing)}; `uv sync --frozen` installs them")
    shown = ("pyarrow", "deltalake", "duckdb", "kafka-python", "streamlit")
    return Check("OK", "packages", ", ".join(f"{name} {version(name)}" for name in shown))


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def check_variables() -> Check:
    """Check for FAULTLINE_ variables that name no setting: most likely a slip of the pen."""
    known = {variable for _, variable, _ in settings.fields()} | OTHER_VARIABLES
    strange = sorted(name for name in os.environ if name.startswith(settings.PREFIX) and name not in known)
    if strange:
        return Check("WARN", "environment", f"no setting is called {', '.join(strange)}; docs/settings.md has them all")
    return Check("OK", "environment", "every FAULTLINE_ variable names a setting")


def check_store(url: str) -> Iterator[Check]:
    """Check that the store can be written and read, and that its disk has room."""
    from storage import Store

    try:
        there = Store.exists(url)
    except FaultlineError as error:
        yield Check("FAIL", "store", str(error))
        return
    if "://" not in url or url.startswith("file://"):
        path = Path(url.removeprefix("file://")).expanduser().absolute()
        folder = next(parent for parent in (path, *path.parents) if parent.exists())
        yield _check_writable(folder, url)
        yield _check_disk(folder)
    yield (
        _check_readable(url) if there else Check("OK", "store", f"{url} has no tables yet; `faultline run` makes them")
    )


def _check_writable(folder: Path, url: str) -> Check:
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"faultline")
    except OSError as error:
        return Check("FAIL", "store folder", f"cannot write {url}: {error.strerror}")
    return Check("OK", "store folder", f"{url} can be written")


def _check_disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    level: Literal["OK", "WARN", "FAIL"] = "FAIL" if free < NO_DISK else "WARN" if free < LOW_DISK else "OK"
    return Check(level, "disk", f"{free / 2**30:.1f} GiB free" + ("" if level == "OK" else "; 5 GiB or more is well"))


def _check_readable(url: str) -> Check:
    from storage import Store

    try:
        with Store.open(url, create=False).reader() as reader:
            found = reader.query("select count(distinct app_id) as partitions from ledger")
    except FaultlineError as error:
        return Check("FAIL", "store", str(error))
    return Check("OK", "store", f"readable, {found['partitions'][0].as_py()} input partitions")


def check_files(url: str, repair: bool) -> Iterator[Check]:
    """Read every data file of the store whole, and mend the tables of those that are broken if asked to."""
    from storage import Store

    try:
        store = Store.open(url, create=False)
        broken = list(store.broken_files())
        for line in broken:
            yield Check("WARN" if repair else "FAIL", "data file", line)
        for done in store.repair(full=True) if repair and broken else ():
            fate = "`faultline run` reads them again" if done.read_again else "they are lost to this store"
            yield Check("OK", "repair", f"took {done.files} files with {done.rows} rows out of {done.table}: {fate}")
    except FaultlineError as error:
        yield Check("FAIL", "data files", str(error))
        return
    if not broken:
        yield Check("OK", "data files", "every one can be read")
    elif not repair:
        yield Check("FAIL", "data files", f"{len(broken)} broken; `faultline doctor --repair` mends their tables")


def check_port(name: str, port: int) -> Check:
    """Check that nothing listens on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        taken = probe.connect_ex(("127.0.0.1", port)) == 0
    if taken:
        return Check("WARN", name, f"{port} is in use: perhaps by a running Faultline, else choose another")
    return Check("OK", name, f"{port} is free")


def check_program(name: str, purpose: str) -> Check:
    """Check for an optional program on the PATH."""
    path = shutil.which(name)
    return Check("OK", name, path) if path else Check("WARN", name, f"not on the PATH; {purpose}")
