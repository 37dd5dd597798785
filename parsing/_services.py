"""Which services are told apart: as many as is set, in order of appearance; the others are one, `__other__`."""

from collections.abc import Iterable

import pyarrow as pa

OTHER = "__other__"
NAME_ATTRIBUTE = "faultline.service"
"""Attribute of a record of `__other__`: the name it came with."""


class Services:
    """Names admitted so far; `refused` counts records, over the life of this object, whose name was not."""

    def __init__(self, most: int, known: Iterable[str] = ()) -> None:
        self._most = most
        self._known = dict.fromkeys(known)
        self.refused = 0

    def admit(self, name: str) -> str:
        """Return the name a service goes by."""
        if name in self._known:
            return name
        if len(self._known) >= self._most or name == OTHER:
            return OTHER
        self._known[name] = None
        return name

    def column(self, services: pa.Array) -> tuple[pa.Array, dict[int, str]]:
        """Return the services of records under the names they go by, and the names of those not admitted, by record."""
        coded = services.dictionary_encode()
        names = coded.dictionary.to_pylist()
        admitted = [self.admit(name) for name in names]
        if names == admitted:
            return services, {}
        refused = {
            row: names[code] for row, code in enumerate(coded.indices.to_pylist()) if names[code] != admitted[code]
        }
        self.refused += len(refused)
        return pa.array(admitted, pa.string()).take(coded.indices), refused

    def snapshot(self) -> list[str]:
        """Return the names, in order."""
        return list(self._known)
