"""One finding: one signal of one service that changed, before anything is ranked."""

from dataclasses import dataclass

import numpy as np

from rca._evidence import EvidenceRow


@dataclass(frozen=True)
class Finding:
    """`kind`: where it was seen ("metric", "log", "span"); `role`: see `metric_kind`; `z`: signed deviation in robust
    standard deviations; `strength`: `strength(z)` times how much such a signal says about its own service.
    """

    service: str
    kind: str
    role: str
    signal: str
    z: float
    strength: float
    expected: float | None
    observed: float | None
    text: str

    def row(self) -> EvidenceRow:
        """Return it as an evidence row."""
        return EvidenceRow(self.kind, self.signal, round(self.strength, 6), self.expected, self.observed, self.text)


def number(value: float) -> str:
    """Return a number as people read it: four significant digits, no exponent for everyday sizes."""
    if not np.isfinite(value):
        return "unknown"
    if 1e-3 <= abs(value) < 1e6 or value == 0:
        return f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return f"{value:.3e}"


def strength(z: float) -> float:
    """Return half of log(1 + (z / 3)^2): near 0 for what noise does, growing with the order of magnitude beyond."""
    return float(np.log1p((z / 3.0) ** 2) / 2)
