"""Bars with whiskers as inline SVG."""

from collections.abc import Callable, Sequence
from html import escape

from benchmarks._figures import Figure
from benchmarks._methods import OURS
from benchmarks.report._tables import ONE_TABLE, cell

_ROW = 22
_LABEL = 450
_WIDTH = 420
_TEXT = 190


def bars(figures: Sequence[Figure], title: str) -> str:
    """Return a horizontal bar a figure, with its interval and its number; nothing where nothing was measured.

    Bars of a setting stand together.
    """
    settings = list(dict.fromkeys(one.setting for one in figures))
    known = sorted((one for one in figures if one.value is not None), key=lambda one: settings.index(one.setting))
    if not known:
        return ""
    ends = [edge for one in known for edge in (one.value, one.low, one.high) if edge is not None]
    low, high = min(0.0, *ends), max(0.0, *ends)
    scale = _WIDTH / (high - low) if high > low else 0.0

    def x(value: float) -> float:
        return _LABEL + (value - low) * scale

    height = _ROW * (len(known) + 1)
    parts = [
        f'<svg viewBox="0 0 {_LABEL + _WIDTH + _TEXT} {height}" width="100%" role="img" aria-label="{escape(title)}">',
        f'<text x="{_LABEL}" y="15" font-weight="600">{escape(title)}</text>',
    ]
    for place, one in enumerate(known, 1):
        parts.append(_bar(one, place * _ROW, x))
    return "".join([*parts, "</svg>"])


def _bar(one: Figure, top: int, x: Callable[[float], float]) -> str:
    assert one.value is not None
    left, right = sorted((x(0.0), x(one.value)))
    middle = top + _ROW / 2 - 2
    kind = "bar ours" if one.method == OURS else "bar"
    where = one.dataset if one.task in ONE_TABLE else ""
    label = " · ".join(part for part in (where, one.method, one.setting) if part)
    whisker = ""
    if one.low is not None and one.high is not None:
        whisker = f'<path class="whisker" d="M{x(one.low):.1f} {middle}H{x(one.high):.1f}"/>'
    end = max(right, x(one.high) if one.high is not None else right)
    return (
        f'<text x="{_LABEL - 8}" y="{middle + 4}" text-anchor="end">{escape(label[:64])}</text>'
        f'<rect class="{kind}" x="{left:.1f}" y="{top}" width="{max(right - left, 0.5):.1f}" height="{_ROW - 6}"/>'
        f'{whisker}<text x="{end + 6:.1f}" y="{middle + 4}">{escape(cell(one))}</text>'
    )
