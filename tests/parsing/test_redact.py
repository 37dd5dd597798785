"""Secrets go, whatever holds them; ordinary lines stay as they are; nothing depends on where a batch ends."""

import itertools
import random
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parsing_planted import MAKERS, card, iban, ordinary, planted, private_key

from parsing import Parser, Redactor
from telemetry import DEAD_LETTERS, LINES, METRICS, SPANS, Batch, Partition, SettingsError

PARTITION = Partition("app", "web.log")


def rows(schema: pa.Schema, count: int, **columns: object) -> pa.Table:
    """Rows at offsets 0, 1, ... with some columns given and the least of the others."""
    plain = {
        "observed_time": 0, "time": 0, "source": "s", "partition": 0, "offset": np.arange(count), "structured": False,
        "metric": "cpu", "service": "web", "value": 1.0, "late": False, "duration_us": 1, "trace_id": "t",
        "span_id": "b", "operation": "get", "status": "ok", "reason": "bad_json", "detail": "d", "units": 1, "raw": b"",
    } | columns  # fmt: skip

    def column(field: pa.Field) -> pa.Array:
        value = plain.get(field.name)
        if value is None or (field.name == "time" and schema is LINES):
            return pa.nulls(count, field.type)
        if isinstance(value, str | bytes | int | float):
            return pa.repeat(pa.scalar(value, field.type), count)
        return pa.array(value, field.type) if isinstance(value, list) else pa.array(value).cast(field.type)

    return pa.table([column(field) for field in schema], schema=schema)


def lines(texts: Sequence[str], start: int = 0, **more: object) -> pa.Table:
    return rows(LINES, len(texts), body=list(texts), offset=np.arange(start, start + len(texts)), **more)


def redacted(texts: Sequence[str], redactor: Redactor | None = None) -> list[str]:
    found: list[str] = (redactor or Redactor()).lines(lines(texts))["body"].to_pylist()
    return found


def test_planted_secrets_are_found():
    plants = planted(9_000, seed=11)
    after = redacted([line for _, line, _ in plants])
    missed = Counter(kind for (kind, _, secret), line in zip(plants, after, strict=True) if secret in line)
    assert set(MAKERS) == {kind for kind, _, _ in plants}
    assert not missed


def test_ordinary_lines_stay():
    before = ordinary(10_000, seed=12)
    changed = [line for line, after in zip(before, redacted(before), strict=True) if line != after]
    # Numbers of 16 and 19 digits drawn at random pass for a card's now and then, one in ten by the checksum alone.
    assert all("epoch" in line or "checkpoint" in line for line in changed)
    assert len(changed) <= 0.002 * len(before)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("http://u:p@ss@h/x", "http://u:<redacted:password>@h/x"),
        ('{"password":"a\\"b","n":1}', '{"password":"<redacted:password>","n":1}'),
        ('{"token": 123456, "n":1}', '{"token": "<redacted:secret>", "n":1}'),
        ("token=ghp_" + "a1" * 18, "token=<redacted:api_key>"),
        ("password=x, user=y", "password=<redacted:password>, user=y"),
        ("(using password: YES)", "(using password: YES)"),
        ("PWD=/home/x ; password=${DB}", "PWD=/home/x ; password=${DB}"),
        ("Cookie: a=b; c=d", "Cookie: <redacted:token>"),
        ("mail bob@example.com.", "mail <redacted:email>."),
        ("user@1000.service and git@example.org", "user@1000.service and git@example.org"),
        ("4111 1111 1111 1111 4111-1111-1111-1112", "<redacted:card> 4111-1111-1111-1112"),
        ("id-4111111111111111 v1.4111111111111111", "id-4111111111111111 v1.4111111111111111"),
        ("DE89 3704 0044 0532 0130 00 PAID", "<redacted:iban> PAID"),
        ("DE89 3704 0044 0532 0130 01", "DE89 3704 0044 0532 0130 01"),
        ("", ""),
    ],
)
def test_what_becomes_of_a_line(before: str, after: str):
    assert redacted([before]) == [after]


def test_twice_is_once():
    once = redacted([line for _, line, _ in planted(900, seed=13)])
    assert redacted(once) == once


@settings(deadline=None)
@given(st.lists(st.text(max_size=60) | st.sampled_from(["password=", "@", "://a:", "eyJ", "token: ", "-----BEGIN"])))
def test_any_text_passes_and_a_second_time_changes_nothing(parts: list[str]):
    text = "".join(parts).encode("utf-8", "replace").decode()
    once = redacted([text, text])
    assert redacted(once) == once


def test_every_place_a_secret_can_be_in():
    mail, hidden = "bob@example.com", "<redacted:email>"
    notes = [[("note", f"to {mail}"), ("db_password", "hunter2"), ("n", "1")], None, []]
    kept = [("note", f"to {hidden}"), ("db_password", "<redacted:password>"), ("n", "1")]
    raw = b'\xff {"password":"hunter2"} ' + mail.encode()
    batch = Batch(
        PARTITION, 0, 3, 12,
        lines=lines(["a", f"b {mail}", "c"], attributes=notes, component=[mail, None, "x"]),
        metrics=rows(METRICS, 3, attributes=notes, service=["web", mail, "web"]),
        spans=rows(SPANS, 3, attributes=notes, operation=["get", f"mail {mail}", "get"]),
        dead_letters=rows(DEAD_LETTERS, 3, raw=[raw, b"", b"x"], detail=f"found {mail!r}"),
    )  # fmt: skip
    clean, found = Redactor().clean(batch)
    for table in (clean.lines, clean.metrics, clean.spans):
        assert table["attributes"].to_pylist() == [kept, None, []]
    assert clean.lines["body"].to_pylist() == ["a", f"b {hidden}", "c"]
    assert clean.lines["component"].to_pylist() == [hidden, None, "x"]
    assert clean.metrics["service"].to_pylist() == ["web", hidden, "web"]
    assert clean.spans["operation"].to_pylist() == ["get", f"mail {hidden}", "get"]
    assert clean.dead_letters["raw"].to_pylist() == [
        b'\xff {"password":"<redacted:password>"} ' + hidden.encode(),
        b"",
        b"x",
    ]
    assert set(clean.dead_letters["detail"].to_pylist()) == {f"found '{hidden}'"}
    counts = Counter[tuple[int, str]]()
    for one in found.to_pylist():
        counts[one["offset"], one["kind"]] += one["count"]
    assert counts == {
        (0, "email"): 6, (0, "password"): 4, (1, "email"): 4, (2, "email"): 1,
    }  # fmt: skip
    for table in (clean.lines, clean.metrics, clean.spans, clean.dead_letters):
        table.validate(full=True)


def test_a_batch_without_secrets_is_handed_on_as_it_is():
    batch = Batch(PARTITION, 0, 2, 2, lines=lines(["GET /x 200", "took 5 ms"]))
    clean, found = Redactor().clean(batch)
    assert clean is batch
    assert not len(found)


def split(texts: Sequence[str], cuts: Iterable[int], redactor: Redactor) -> list[str]:
    edges = [0, *sorted(min(cut, len(texts)) for cut in cuts), len(texts)]
    parts = [redactor.lines(lines(texts[a:b], a))["body"].to_pylist() for a, b in itertools.pairwise(edges)]
    return [text for part in parts for text in part]


@settings(deadline=None)
@given(st.lists(st.integers(0, 60)), st.integers(0, 60), st.integers(0, 9))
def test_a_private_key_over_several_lines_goes_wherever_batches_end(cuts: list[int], restart: int, seed: int):
    rng = random.Random(seed)
    key = private_key(rng)
    texts = ["before", *key, "between two", "the end", *private_key(rng, 3), "Done"]
    whole = split(texts, [], Redactor())
    assert [text for text in whole if "redacted" not in text] == ["before", "between two", "the end", "Done"]
    redactor = Redactor()
    assert split(texts, cuts, redactor) == whole
    fresh, at = Redactor(), min(restart, len(texts))
    fresh.resume(at, redactor.open_key(at))
    assert fresh.lines(lines(texts[at:], at))["body"].to_pylist() == whole[at:] if at < len(texts) else True


def test_a_private_key_without_an_end_stops_after_256_lines_and_spares_others_among_its_own():
    key = private_key(random.Random(1))[:-1]
    texts = [*key, "worker 5 said hello", *(["justoneword"] * 300)]
    after = redacted(texts)
    assert after[len(key)] == "worker 5 said hello"
    assert after.count("justoneword") == len(texts) - 257


def test_a_redacted_text_is_a_parameter_and_the_message_can_be_restored():
    texts = [f"login of {who} failed" for who in ("bob@example.com", "al@example.org", "carol@example.com")]
    logs = Parser().process(Redactor().lines(lines(texts)), 3, final=True)
    assert set(logs.templates["template"].to_pylist()) == {"login of <*> failed"}
    assert logs.logs["params"].to_pylist() == [["<redacted:email>"]] * 3
    assert logs.logs["body"].to_pylist() == ["login of <redacted:email> failed"] * 3


def test_kinds_and_patterns_of_ones_own():
    only = Redactor(kinds=("email",), patterns=(r"EMP-\d+",))
    text = "EMP-12 EMP-3 bob@example.com password=x"
    batch, found = only.clean(Batch(PARTITION, 0, 1, 1, lines=lines([text])))
    assert batch.lines["body"].to_pylist() == ["<redacted:custom> <redacted:custom> <redacted:email> password=x"]
    assert {one["kind"]: one["count"] for one in found.to_pylist()} == {"custom": 2, "email": 1}


@pytest.mark.parametrize("pattern", [r"(?<=x)y", "(", r"x*", ""])
def test_a_pattern_that_cannot_be_used_is_refused_on_one_line(pattern: str):
    with pytest.raises(SettingsError, match="redaction pattern") as caught:
        Redactor(patterns=(pattern,))
    assert "\n" not in str(caught.value)


def test_hostile_repetition_takes_linear_time():
    """Each would take minutes if work grew with the square of a line."""
    size = 256 * 1024
    for piece in (
        "a@",
        "://a:",
        "1 ",
        "4111 1111 ",
        "password=",
        "eyJa.",
        "-----BEGIN PRIVATE KEY-----",
        "a.a@a.",
        "12",
        "--token ",
    ):
        redacted([piece * (size // len(piece))])


def test_generated_numbers_pass_their_checks():
    rng = random.Random(5)
    assert redacted([card(rng), iban(rng)]) == ["<redacted:card>", "<redacted:iban>"]
