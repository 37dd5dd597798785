"""Finds the names of called services in text written by their callers."""

import re
from collections.abc import Iterable, Mapping


class Names:
    """`calls` limits what a service can name to what it calls; where no call is known at all, it may name anyone."""

    def __init__(self, services: Iterable[str], calls: Mapping[tuple[str, str], float]) -> None:
        names = sorted(set(services), key=lambda name: (-len(name), name))
        self._pattern = re.compile(r"(?<![\w-])(" + "|".join(map(re.escape, names)) + r")(?![\w-])") if names else None
        self._calls = calls

    def named(self, service: str, text: str) -> list[str]:
        """Return the other services that a text of `service` names, in name order."""
        if self._pattern is None or not text:
            return []
        names = set(self._pattern.findall(text)) - {service}
        return sorted(name for name in names if not self._calls or (service, name) in self._calls)
