"""What a report must say about itself: revision, versions, machine, data."""

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_PACKAGES = ("telemetry", "ingest", "parsing", "detection", "rca", "storage", "faultline", "benchmarks")
_LIBRARIES = ("numpy", "pyarrow", "numba", "scipy", "scikit-learn", "pyod", "drain3", "statsmodels", "deltalake")
_BLOCK = 1 << 22


def revision() -> str:
    """Return the git revision, with "-dirty" where files differ from it; the version where this is no repository."""
    try:
        return _git("describe", "--always", "--abbrev=40", "--dirty", "--exclude=*")
    except (OSError, subprocess.CalledProcessError):
        return f"faultline {version('faultline')}"


def _git(*arguments: str) -> str:
    command = ("git", "-C", str(ROOT), *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that matter."""
    found = {"python": platform.python_version()}
    for name in ("faultline", *_LIBRARIES):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def machine() -> dict[str, Any]:
    """Return what the figures of time depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def code_digest() -> str:
    """Return a checksum of the code that is measured."""
    return _digest(ROOT, (path for name in _PACKAGES for path in (ROOT / name).rglob("*.py")))


def data_digest(data: Path, folders: Iterable[str]) -> str:
    """Return a checksum of the files below these folders of the data folder, names included."""
    return _digest(data, (path for name in folders for path in (data / name).rglob("*") if path.is_file()))


def _digest(root: Path, paths: Iterable[Path]) -> str:
    found = hashlib.sha256()
    for path in sorted(paths):
        found.update(f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                found.update(block)
    return found.hexdigest()[:16]
