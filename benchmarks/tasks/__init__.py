"""The tasks. Each is a module as `benchmarks._plan.Task` describes; `task` imports the one that is asked for."""

import importlib
from typing import cast

from benchmarks._plan import Task

TASKS = ("parsing", "detection", "sessions", "rca", "throughput")


def task(name: str) -> Task:
    """Return a task by its name."""
    return cast(Task, importlib.import_module(f"benchmarks.tasks.{name}"))


__all__ = ["TASKS", "task"]
