import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numba import njit

from parsing import _masks
from parsing._fingerprint import fingerprint
from parsing._fit import fit_one
from parsing._masks import Remembered, normalise, tokenise
from parsing._wide import pointer

PIECES = ["a", "ab", "x1", "ab1", "12", "core.7", "CPU#1", "1.", "b.", "..", "..3", "/a/b1", "é2", "-", "a2b_c", "a_2"]
MARKS = [" ", "  ", ":", "=", ", ", "(", ")", "[", "]", "=[", "{", "}", '"', " user "]
MORE = ["true", "www.example.com", "00:01", "3 bytes (2 KB) sent", "Jan  5 10:00:00 2026", "ff:00:aa:bb", "7 bytes"]
MORE += [
    "user  from x",
    "host  [a",
    "1/2",
    "a1/b2",
    "/a1/b2",
    "1/b",
    "http://a.b1/c?d",
    "/a?b=1",
    r"C:\\a b\\c",
    "a@b.com",
    "5%",
    "0|1",
    "2#3",
    "a1 a2",
    "4 KB",
    "'a b'",
    '"c d"',
]


@njit
def hashed(data, start, end):  # type: ignore[no-untyped-def]
    return fingerprint(pointer(data), data.size, start, end)


def shape(text: str, before: str = "", after: str = "") -> int:
    data, start = (before + text + after).encode(), len(before.encode())
    return int(hashed(np.frombuffer(data or b"\0", np.uint8), start, start + len(text.encode())))


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(PIECES + MORE), st.sampled_from(MARKS)), max_size=6), st.data())
def test_messages_of_one_fingerprint_fit_one_template(parts: list[tuple[str, str]], data: st.DataObject) -> None:
    one = "".join(piece + mark for piece, mark in parts)
    swap = st.sampled_from(PIECES + MORE)
    other = "".join((data.draw(swap) if data.draw(st.booleans()) else piece) + mark for piece, mark in parts)
    template = "".join(tokenise(one))
    assert fit_one(template, one) is not None
    if shape(one) == shape(other):
        assert fit_one(template, other) is not None


WORDS = st.text("ab1.-/ \t:%[é", max_size=90)


@settings(deadline=None, max_examples=300)
@given(WORDS, WORDS, st.integers(0, 70))
def test_a_fingerprint_depends_on_the_text_alone(text: str, other: str, room: int) -> None:
    there = shape(text)
    assert shape(text, "x" * room) == shape(text, "7" * room, "1" * 64) == shape(f" {text}\t", after=" " * 64) == there
    assert shape(text.replace(" ", "  ").replace("\t", " ")) == there
    single = [" ".join(one.replace("\t", " ").split()) for one in (text, other)]
    if not any(map(str.isdigit, text + other)):
        assert (shape(text) == shape(other)) == (single[0] == single[1])


@pytest.mark.parametrize("word", ["a", "12", ":", "é"])
def test_a_fingerprint_ends_with_the_512th_word(word: str) -> None:
    words = f"{word} " * 512
    assert shape(words) == shape(words + "b1 : c") != shape(f"{word} " * 511 + "other")
    assert shape(words + "x" * 64, after="y" * 64) == shape(words)


@pytest.mark.parametrize(
    ("message", "template"),
    [
        ("took 12 ms.", "took <*> ms."),
        ("wrote core.123 at 0x1f.", "wrote core.<*> at <*>."),
        ("from 10.0.0.1:80 to db.example.com:5432", "from <*>:<*> to <*>:<*>"),
        ("flag=true name=null", "flag=<*> name=<*>"),
        ("opened /var/log/app.log for ssh2", "opened <*> for ssh2"),
        ("id ff:f2:9f:16:e2:23", "id <*>"),
        ("at Sat Jul  9 22:53:22 2005", "at <*>:<*>:<*>"),
        ('tag="View Lock", n="a:b"', 'tag="View Lock", n="<*>"'),
        ("delete b1 b2 b3 b4", "delete <*>"),
        ("at a.b.C:12 d.e.F:7 g.h.I:9", "at <*>:<*> <*>:<*> <*>:<*>"),
        ("CPU#0 at 97.5%.", "CPU#<*> at <*>%."),
        ("steps 12##7##3 key 0|a.b.c|1", "steps <*>##<*>##<*> key <*>|<*>|<*>"),
        ("get https://a.example.com:80/x?y=1.", "get <*>."),
        ('"GET /x/y?a=1&b=2 HTTP/1.1" a=1&b=2', '"GET <*> HTTP/<*>" a=<*>&b=<*>'),
        (r"open C:\Program Files\a b\c.dll, D:\x or HOST\me", r"open <*>, <*> or HOST\me"),
        ("to jane.doe@example.com by <a@b.org>", "to <*> by <<*>>"),
        ("x.y.Z@1f <- y@9", "<*>@<*> <- y@<*>"),
        ("bounds=[0,0][10,20] owner=Work{a b} n=1", "bounds=<*> owner=<*> n=<*>"),
        ("jk2_init() took 7 at node12", "jk2_init() took <*> at <*>"),
        ("class com.shop.cart.Main failed", "class <*> failed"),
    ],
)
def test_what_is_a_parameter(message: str, template: str) -> None:
    assert "".join(tokenise(message)) == template


def test_normalising_again_changes_nothing() -> None:
    for text in ("<*>.<*>:<*>:<*>:<*>:<*>", "<*> <*> <*> <*>", "<*>, <*>, <*>", "<*><*>"):
        assert normalise(normalise(text)) == normalise(text)


_HOSTILE = [
    "a." * 100_000 + "://",
    "=/" * 50_000 + "?",
    "a@" + "b.com." * 50_000 + "1",
    "\\a " * 50_000,
    "'a b " * 50_000,
    "a1 " * 50_000 + "a1x",
    "1 KB (" * 50_000,
]


def test_hostile_words_take_linear_time() -> None:
    for text in ("x" * 200_000, "a." * 100_000, "[" * 50_000, '="' * 50_000, "a/" * 100_000, "1:" * 50_000, *_HOSTILE):
        assert fit_one("".join(tokenise(text)), text) is not None


@given(st.text(st.sampled_from("ab.é '\"(-"), min_size=1))
@example("'two words' a. .b ...  c..d.")
def test_a_text_without_parameters_is_cut_as_one_with_a_parameter_is(text: str):
    assert tokenise(f"x{text}x 7") == [*tokenise(f"x{text}x"), " ", "<*>"]


PARTS = st.sampled_from(
    [
        *PIECES,
        *MORE,
        *MARKS,
        "null",
        "abcdefab",
        "ff:ab:cd:ee",
        "x:y",
        "it's",
        "<*>",
        "\0",
        "a\x85b",
        "\u0663",
        "\u00b2",
    ]
)


@settings(deadline=None, max_examples=500)
@given(st.lists(PARTS | st.text(max_size=4), max_size=8), st.sampled_from(["", " ", "  "]))
@example(["a"] * 256, " ")
@example(["a"] * 257, " ")
def test_what_is_cut_part_by_part_is_cut_as_the_whole_is(parts: list[str], between: str) -> None:
    text = between.join(parts)
    found = tokenise(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_masks, "_LONGEST_PLAIN", -1)
        assert tokenise(text) == found


def test_what_is_remembered_of_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_masks, "_REMEMBERED", 10)
    asked: list[str] = []
    remembered = Remembered(lambda token: asked.append(token) or token.upper())
    assert [remembered[str(n % 7)] for n in range(14)] == [str(n % 7) for n in range(14)]
    assert len(asked) == 7
    for n in range(100):
        assert remembered[f"a{n}"] == f"A{n}"
        assert len(remembered) <= 10
