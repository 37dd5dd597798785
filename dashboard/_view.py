"""Pieces that all pages share: the style, the clock, live panels, what to show when there is nothing to show."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import _queries as queries
from dashboard import _store
from dashboard._words import SECOND_US, VERDICTS, age, clock, duration, escaped, percent, tag
from storage import Store
from telemetry import FaultlineError

RANGES = {"15 min": 15, "1 hour": 60, "6 hours": 360, "24 hours": 1440, "7 days": 10_080, "Everything": 0}
_LIVE_US = 600 * SECOND_US


@dataclass(frozen=True)
class Clock:
    """The moment ages are counted from (microseconds, UTC): the wall clock, or the newest event of a replay."""

    now: int
    live: bool
    newest: int

    def ago(self, us: int) -> str:
        """Return how long ago a time was, or for a replay, how long before its newest event."""
        return age(us, self.now) if self.live else f"{duration(self.now - us)} before the newest data"


def style() -> None:
    """Add the style sheet to the page."""
    st.html(Path(__file__).with_name("style.css"))


def show(*parts: str, css: str = "fl") -> None:
    """Write HTML made with `tag` and `escaped`."""
    st.html(tag("div", *parts, css=css))


def read_clock(reader: queries.Reads) -> Clock | None:
    """Return the clock, or None where the store holds nothing with a time yet."""
    wall = time.time_ns() // 1000
    newest = queries.newest(reader, wall)
    if newest is None:
        return None
    live = wall - newest < _LIVE_US
    return Clock(wall if live else newest, live, newest)


def chosen_range(reader: queries.Reads, at: Clock, minutes: int) -> queries.Range:
    """Return the range of so many minutes up to the newest data, or everything for 0."""
    until = at.newest // queries.MINUTE_US * queries.MINUTE_US + queries.MINUTE_US
    if at.live:
        until = max(until, at.now)
    since = until - minutes * queries.MINUTE_US if minutes else queries.oldest(reader)
    return queries.Range(since if since is not None else until - 60 * queries.MINUTE_US, until)


def guarded(draw: Callable[[], None]) -> None:
    """Draw, or say in one line why that is not possible."""
    try:
        draw()
    except FaultlineError as error:
        _trouble(error)


def _trouble(error: FaultlineError) -> None:
    show(
        tag("div", "The store cannot be read right now", css="fl-title"),
        tag("div", escaped(error), css="fl-soft"),
        css="fl fl-card warning",
    )


def live(draw: Callable[[], None], every_s: int) -> None:
    """Draw now and, unless the reader has paused the page, again every so many seconds."""
    paused = bool(st.session_state.get("paused"))

    @st.fragment(run_every=None if paused else every_s)
    def panel() -> None:
        guarded(draw)

    panel()


def opened() -> queries.Reads | None:
    """Return the store's reader; where there is no store, say so, look again every few seconds and return None."""
    url = _store.store_url()
    try:
        if Store.exists(url):
            return _store.reader(url)
    except FaultlineError as error:
        _trouble(error)
        return None

    @st.fragment(run_every=3)
    def wait() -> None:
        if Store.exists(url):
            st.rerun()
        nothing_yet(f"There is no store at {url} yet.")

    wait()
    return None


def nothing_yet(what: str) -> None:
    """Say that there is nothing to show, and which command changes that."""
    show(
        tag("div", escaped(what), css="fl-title"),
        tag("div", "Start the pipeline, and this page fills by itself:", css="fl-soft"),
        css="fl fl-card",
    )
    st.code("faultline demo\nfaultline run --source files /var/log/my-service", language=None)


def chip(text: str, css: str) -> str:
    """Return a word in a small frame, as HTML."""
    return tag("span", escaped(text), css=f"fl-chip {css}")


def incident_css(incident: dict[str, Any]) -> str:
    """Return the style class of an incident: resolved, critical or warning."""
    return "resolved" if incident["status"] == "resolved" else _severity_css(incident["severity"])


def _severity_css(severity: str) -> str:
    return severity if severity in ("critical", "warning") else "warning"


def incident_chips(incident: dict[str, Any]) -> str:
    """Return an incident's severity and status as HTML."""
    severity = chip(incident["severity"].capitalize(), _severity_css(incident["severity"]))
    return severity + chip(incident["status"].capitalize(), incident["status"])


def since_line(incident: dict[str, Any], at: Clock) -> str:
    """Return since when an incident lasts, or how long it lasted, as HTML."""
    onset = incident["onset"]
    began = tag("b", escaped(clock(onset, day_of=at.now if at.live else None)))
    if incident["status"] == "resolved":
        return f"{began}, {escaped(at.ago(onset))}, for {escaped(duration(incident['updated'] - onset))}"
    return f"Since {began}, {escaped(at.ago(onset))}"


def verdict_line(incident: dict[str, Any], suspect: dict[str, Any] | None) -> str:
    """Return in one line of HTML who is suspected, how sure that is, and on which signal it rests."""
    if suspect is None or incident["verdict"] is None:
        return tag("span", "Suspects have not been ranked yet.", css="fl-soft")
    sure = (
        f"confidence {percent(incident['confidence'])}" if incident["confidence"] is not None else "no confidence given"
    )
    share = f"{percent(suspect['share'])} of the suspicion"
    on = f", on {suspect['signal']}"[:80] if suspect["signal"] else ""
    name = tag("b", escaped(suspect["service"]))
    if incident["verdict"] == "root_cause_found":
        return f"Suspected root cause: {name} {tag('span', escaped(f'{share}{on}; {sure}'), css='fl-soft')}"
    return (
        f"{escaped(VERDICTS['insufficient_evidence'])} to name a root cause "
        f"{tag('span', escaped(f'({sure})'), css='fl-soft')}. Most suspicious so far: {name} "
        f"{tag('span', escaped(share + on), css='fl-soft')}"
    )
