"""Incidents: watched first, opened when a ranking confirms, joined, resolved."""

import itertools
from dataclasses import replace

import pyarrow as pa
import pytest

from detection import IncidentBook, IncidentSettings, Outcome
from telemetry import ANOMALIES

S = 1_000_000
CALLS = {("front", "cart"): 9.0, ("cart", "db"): 5.0, ("front", "mail"): 1.0}


def anomalies(end: int, evidence: dict[str, float]) -> pa.Table:
    """The rows of a window in which each service stands out with so much evidence."""
    rows = []
    for service, score in evidence.items():
        row = {
            "time": end, "window_s": 10, "service": service, "kind": "metric", "signal": "latency",
            "score": 9.0, "threshold": 2.5, "expected": 1.0, "observed": 2.0, "detector": "metric",
            "explanation": "", "incident_id": None,
        }  # fmt: skip
        rows += [
            row,
            {**row, "signal": "all signals", "detector": "combined_evidence", "score": score, "threshold": 2.5},
        ]
    return pa.Table.from_pylist(rows, ANOMALIES)


def outcome(score: float, suspect: str = "db", verdict: str = "root_cause_found") -> Outcome:
    return Outcome(suspect, score, verdict, 0.9, f"{suspect} it is")


def watch(book: IncidentBook, end: int, evidence: dict[str, float]) -> str:
    """Feed one window and return the id of the disturbance to rank."""
    update = book.update(end, anomalies(end, evidence), CALLS)
    assert len(update.incidents) == len(update.events) == 0
    (found,) = update.rank
    return found


def test_a_disturbance_is_watched_and_ranked_in_every_window_but_nobody_is_told():
    book = IncidentBook()
    first = watch(book, 100 * S, {"cart": 6.0})
    assert watch(book, 110 * S, {"cart": 6.0}) == first
    assert book.open == []
    tagged = book.update(120 * S, anomalies(120 * S, {"cart": 6.0}), CALLS).anomalies
    assert tagged["incident_id"].null_count == len(tagged)


def test_too_little_evidence_is_not_even_watched():
    book = IncidentBook()
    assert book.update(100 * S, anomalies(100 * S, {"cart": 2.9}), CALLS).rank == []


@pytest.mark.parametrize(
    ("age", "score", "opens"),
    [(0, 2.7, False), (0, 2.9, True), (30, 2.0, False), (30, 2.1, True), (200, 1.3, False), (200, 1.4, True)],
)
def test_what_lasts_may_be_weaker(age: int, score: float, opens: bool):
    book = IncidentBook()
    found = watch(book, 100 * S, {"cart": 6.0})
    for later in range(10, age + 1, 10):
        book.update((100 + later) * S, anomalies((100 + later) * S, {"cart": 6.0}), CALLS)
    update = book.diagnosed(found, (100 + age) * S, outcome(score))
    assert (book.open == [found]) is opens
    assert [row["kind"] for row in update.events.to_pylist()] == (["open", "rank"] if opens else [])
    if opens:
        (row,) = update.incidents.to_pylist()
        assert row["opened"].timestamp() == 100 + age
        assert row["onset"].timestamp() == 90
        assert row["status"] == "open"
        assert row["title"].startswith("db suspected")


def test_a_passing_disturbance_leaves_no_trace():
    book = IncidentBook(IncidentSettings(quiet_s=60))
    watch(book, 100 * S, {"cart": 6.0})
    nothing = ANOMALIES.empty_table()
    updates = [book.update(end * S, nothing, CALLS) for end in range(110, 300, 10)]
    assert all(len(update.incidents) == len(update.events) == 0 for update in updates)
    assert updates[-1].rank == []


def test_an_incident_resolves_after_quiet_and_says_so():
    book = IncidentBook(IncidentSettings(quiet_s=60))
    found = watch(book, 100 * S, {"cart": 6.0})
    book.diagnosed(found, 100 * S, outcome(5.0))
    nothing = ANOMALIES.empty_table()
    kinds = [
        row["kind"] for end in range(110, 200, 10) for row in book.update(end * S, nothing, CALLS).events.to_pylist()
    ]
    assert kinds == ["resolve"]
    assert book.open == []


def test_neighbours_join_and_strangers_do_not():
    book = IncidentBook()
    found = watch(book, 100 * S, {"cart": 6.0})
    book.diagnosed(found, 100 * S, outcome(5.0))
    update = book.update(110 * S, anomalies(110 * S, {"cart": 6.0, "db": 3.0, "mail": 2.6}), CALLS)
    assert [row["kind"] for row in update.events.to_pylist()] == ["join"]
    assert book.services(found) == ["cart", "db"]


def test_two_disturbances_with_the_same_suspect_are_one_incident():
    book = IncidentBook()
    first = watch(book, 100 * S, {"cart": 6.0})
    book.diagnosed(first, 100 * S, outcome(5.0))
    second = next(i for i in book.update(110 * S, anomalies(110 * S, {"mail": 6.0}), CALLS).rank if i != first)
    update = book.diagnosed(second, 110 * S, outcome(5.0))
    assert book.open == [first]
    assert [row["kind"] for row in update.events.to_pylist()] == ["join", "rank"]
    assert set(book.services(first)) == {"cart", "mail"}


def test_a_disturbance_another_took_over_is_known_no_more():
    book = IncidentBook()
    first = watch(book, 100 * S, {"cart": 6.0})
    both = book.update(110 * S, anomalies(110 * S, {"cart": 6.0, "mail": 6.0}), CALLS).rank
    (second,) = set(both) - {first}
    book.diagnosed(first, 110 * S, outcome(5.0))
    book.diagnosed(second, 110 * S, outcome(5.0))
    assert first in book
    assert second not in book


def test_a_new_disturbance_in_the_services_of_an_old_incident_is_one_of_its_own():
    book = IncidentBook(IncidentSettings(spread_s=60))
    old = watch(book, 100 * S, {"cart": 6.0})
    book.diagnosed(old, 100 * S, outcome(5.0))
    for end in range(110, 170, 10):
        book.update(end * S, anomalies(end * S, {"cart": 6.0}), CALLS)
    new = [i for i in book.update(170 * S, anomalies(170 * S, {"cart": 6.0}), CALLS).rank if i != old]
    book.diagnosed(new[0], 170 * S, outcome(5.0, suspect="queue"))
    assert book.open == [old, new[0]]


def test_a_restored_book_goes_on_as_the_old_one():
    book = IncidentBook()
    found = watch(book, 100 * S, {"cart": 6.0})
    book.diagnosed(found, 100 * S, outcome(5.0))
    twin = IncidentBook.restore(book.snapshot())
    for end in range(110, 400, 10):
        rows = anomalies(end * S, {"cart": 6.0, "mail": 5.5} if end < 200 else {})
        ours, theirs = book.update(end * S, rows, CALLS), twin.update(end * S, rows, CALLS)
        assert ours.rank == theirs.rank
        assert (ours.incidents, ours.events, ours.anomalies) == (theirs.incidents, theirs.events, theirs.anomalies)
    assert book.snapshot() == twin.snapshot()


@pytest.mark.parametrize(("usual", "opens"), [(1.4, True), (1.6, False)])
def test_what_is_usual_here_is_no_incident(usual: float, opens: bool):
    book = IncidentBook()
    found = watch(book, 100 * S, {"cart": 6.0})
    assert book.promising(found, 100 * S, outcome(3.0))
    book.diagnosed(found, 100 * S, replace(outcome(3.0), usual=usual))
    assert (book.open == [found]) is opens
    assert not (opens and book.promising(found, 100 * S, outcome(3.0)))


def test_a_disturbance_that_leads_back_to_its_incident_adds_no_event_and_is_left_alone_for_a_while():
    settings = IncidentSettings()
    book = IncidentBook(settings)
    found = watch(book, 100 * S, {"cart": 6.0})
    book.diagnosed(found, 100 * S, outcome(3.0))
    ranked, events = [], []
    for end in range(110, 700, 10):
        update = book.update(end * S, anomalies(end * S, {"cart": 6.0}), CALLS)
        again = [i for i in update.rank if i != found]
        ranked += [end] * len(again)
        for i in again:
            events += book.diagnosed(i, end * S, outcome(3.0)).events["kind"].to_pylist()
    assert book.open == [found]
    assert "join" not in events
    assert ranked[0] > 100 + settings.spread_s
    assert all(b - a >= settings.watch_every_s[0] for a, b in itertools.pairwise(ranked))
