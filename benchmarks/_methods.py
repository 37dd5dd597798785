"""Methods to be measured: ours, the baselines, and those that other packages bring by an entry point."""

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from benchmarks._plan import MethodFailed
from telemetry import FaultlineError, UsageError

OURS = "faultline"
GROUPS = ("faultline.parsers", "faultline.detectors", "faultline.session_detectors", "faultline.rankers")
"""Entry-point groups in which other packages bring methods."""


@dataclass(frozen=True)
class Method:
    """A function under a name; its docstring is printed in the report."""

    name: str
    call: Callable[..., Any]

    @property
    def text(self) -> str:
        """What it does, in words, on one line."""
        return " ".join((inspect.getdoc(self.call) or "no description").split())

    def __call__(self, where: str, *arguments: Any) -> Any:
        """Call it. Raises MethodFailed naming the method and `where` it failed; errors of this program pass."""
        try:
            return self.call(*arguments)
        except FaultlineError:
            raise
        except (Exception, SystemExit) as error:
            raise MethodFailed(f"method {self.name!r} failed on {where}: {type(error).__name__}: {error}") from error


@lru_cache
def _plugins(group: str) -> dict[str, Method]:
    return {point.name: Method(point.name, point.load()) for point in entry_points(group=group)}


def plugins_digest() -> str:
    """Return a checksum of the methods that come by entry points: their names, versions and source files."""
    found = hashlib.sha256()
    for group in GROUPS:
        for point in sorted(entry_points(group=group), key=lambda point: point.name):
            source = inspect.getsourcefile(inspect.unwrap(_plugins(group)[point.name].call))
            found.update(f"{group} {point.name} {point.dist and point.dist.version} {source}\0".encode())
            found.update(Path(source).read_bytes() if source else b"")
    return found.hexdigest()[:16]


def methods(group: str, own: Mapping[str, Callable[..., Any]]) -> dict[str, Method]:
    """Return the methods of a task: `own` first, then those of the entry-point group, by name.

    Raises UsageError where an entry point takes a name that is in use.
    """
    found = {name: Method(name, call) for name, call in own.items()}
    for name, method in sorted(_plugins(group).items()):
        if name in found:
            raise UsageError(f"entry point {name!r} of group {group!r} has the name of a built-in method; rename it")
        found[name] = method
    return found
