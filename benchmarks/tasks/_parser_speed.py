"""The parser's part of the throughput task: the stage alone, in large and small batches, beside stock Drain3."""

import gc
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from benchmarks._corpus import table_of, with_headers
from benchmarks.baselines.drain import miner as drain_miner

if TYPE_CHECKING:
    from parsing import ParserSettings

PARSE, SMALL, HEADED = "parse", "parse, batches of 100", "parse, raw lines with headers"
STEPS = "parse, template ids alone"
TEMPLATES = (1_000, 100_000)
"""How many templates there are when the cost of lines that all bring a new one is measured."""

SENTENCES = (2_000, 20_000)
"""How many sentences that never repeat are parsed, from the first on."""

_BATCH = 8_000
_WARM = 2 * _BATCH  # lines, that the clock sees nothing compiled
_NEW = 2_000
_LIMIT = 200_000  # of templates: that no overflow hides the cost
_VOCABULARY = 5_000

METHOD = (
    f"parsing.Parser in record batches of {_BATCH:,} lines (messages, parameters included), or of 100; raw lines: the "
    "same behind a time, level and component, format auto; templates: lines of random words, each a template of its "
    f"own, {_NEW:,} of them once there are as many templates as is said; sentences: 4 to 19 of "
    f"{_VOCABULARY:,} made-up words, frequent as in a language, so that hardly any line has a template of another; "
    "template ids alone: messages read where they lie in Arrow, a template for each, templates learnt, and the Arrow "
    "column of ids, nothing else; parameters against ids: what messages with parameters and all tables take beyond "
    "that, over that; headers and parameters against ids: the same of raw lines, in the same process; CPU seconds"
)
"""What is measured, in words. One thread does all of it, so CPU time is taken: neighbours do not disturb it."""


def with_templates(count: int) -> str:
    """Return the name of the measurement at so many templates."""
    return f"parse, new templates beyond {count:,}"


def of_sentences(count: int) -> str:
    """Return the name of the measurement on so many sentences."""
    return f"parse, first {count:,} sentences without digits"


def kinds() -> list[str]:
    """List the measurements of the parser."""
    return [PARSE, SMALL, HEADED, STEPS, *map(with_templates, TEMPLATES), *map(of_sentences, SENTENCES)]


def measure(kind: str, corpus: Mapping[str, Sequence[str]], seed: int) -> dict[str, Any]:
    """Return lines and CPU seconds by source; `corpus`: messages by source."""
    from parsing import ParserSettings

    for count in TEMPLATES:
        if kind == with_templates(count):
            _beyond(min(TEMPLATES), seed + 1)
            return {"sources": {"all": _beyond(count, seed)}}
    warm = corpus
    for count in SENTENCES:
        if kind == of_sentences(count):
            corpus, warm = {"all": sentences(count, seed)}, {"all": sentences(_WARM, seed + 1)}  # of other words
    if kind == STEPS:
        return _steps(corpus)
    if kind == HEADED:
        corpus = warm = {name: list(with_headers(lines)) for name, lines in corpus.items()}
    settings = ParserSettings(format="auto" if kind == HEADED else "message")
    parse = partial(_parse, settings=settings, size=100 if kind == SMALL else _BATCH)
    for lines in warm.values():
        parse(lines[:_WARM])
    sources = {name: [len(lines), parse(lines)] for name, lines in corpus.items()}
    distinct = np.mean([len(set(lines)) / len(lines) for lines in corpus.values()])
    return {"sources": sources, "distinct": float(distinct)}


def measure_drain(corpus: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return lines and CPU seconds by source of stock Drain3, line by line, one miner a source."""
    sources = {}
    for name, lines in corpus.items():
        fresh = drain_miner(masked=True)
        _settle()
        began = time.process_time()
        for line in lines:
            fresh.add_log_message(line)
        sources[name] = [len(lines), time.process_time() - began]
    return {"sources": sources}


def _parse(lines: Sequence[str], settings: "ParserSettings", size: int) -> float:
    """Return the CPU seconds a fresh parser takes for the lines, given as batches of `size` rows."""
    from parsing import Parser

    batches = _batches(lines, size)
    parser = Parser(settings)
    _settle()
    began = time.process_time()
    for number, batch in enumerate(batches, 1):
        parser.process(batch, number * size, number == len(batches))
    return time.process_time() - began


def _steps(corpus: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return lines and CPU seconds of template ids alone, and by source those of the messages and of raw lines."""
    from parsing import ParserSettings

    message, auto = ParserSettings(format="message"), ParserSettings()
    sources, whole = {}, {}
    for name, lines in corpus.items():
        raw = list(with_headers(lines))
        for count in (_WARM, len(lines)):  # the first time only to compile
            sources[name] = [count, _template_ids(lines[:count], message)]
            whole[name] = [_parse(lines[:count], message, _BATCH), _parse(raw[:count], auto, _BATCH)]
    return {"sources": sources, "whole": whole}


def _template_ids(lines: Sequence[str], settings: "ParserSettings") -> float:
    """Return the CPU seconds that only the template ids of messages take, as `_parse` does for everything."""
    from parsing._miner import Miner
    from parsing._read import read_lines

    batches = _batches(lines, _BATCH)
    miner = Miner(settings)
    _settle()
    began = time.process_time()
    for batch in batches:
        number, _ = miner.assign(read_lines(None, batch).lines)
        pa.array(miner.templates.facts[1].take(number))
    return time.process_time() - began


def _batches(lines: Sequence[str], size: int) -> list[pa.RecordBatch]:
    return [table_of(lines[at : at + size], at).to_batches()[0] for at in range(0, len(lines), size)]


def _settle() -> None:
    """Have Python's collector of cycles look at nothing that was there before the clock starts, as a worker does."""
    gc.collect()
    gc.freeze()


def _beyond(count: int, seed: int) -> list[float]:
    """Return how many lines, each of a new template, were parsed with `count` templates known, and the CPU seconds."""
    from parsing import Parser, ParserSettings

    lines = _shapeless(count + _NEW, seed)
    settings = ParserSettings(format="message", max_clusters=_LIMIT, max_fingerprints=2 * _LIMIT)
    parser = Parser(settings)
    parser.process(table_of(lines[:count], 0), count)
    batch = table_of(lines[count:], count)
    began = time.process_time()
    parser.process(batch, len(lines))
    return [_NEW, time.process_time() - began]


def sentences(count: int, seed: int) -> list[str]:
    """Return sentences of made-up words of letters, which never repeat."""
    rng = np.random.default_rng(seed)
    letters = rng.integers(ord("a"), ord("z") + 1, (_VOCABULARY, 9), np.uint8)
    words = [
        row[:size].tobytes().decode() for row, size in zip(letters, rng.integers(2, 10, len(letters)), strict=True)
    ]
    shares = 1 / np.arange(1, _VOCABULARY + 1)
    sizes = rng.integers(4, 20, count)
    said = [words[one] for one in rng.choice(_VOCABULARY, sizes.sum(), p=shares / shares.sum())]
    return [" ".join(said[end - size : end]) for size, end in zip(sizes, np.cumsum(sizes), strict=True)]


def _shapeless(count: int, seed: int) -> list[str]:
    """Return lines of three to eight random words of letters."""
    rng = np.random.default_rng(seed)
    letters = rng.integers(ord("a"), ord("z") + 1, (count, 60), np.uint8)
    blanks = np.argsort(rng.random((count, 19)), axis=1) * 3 + 2
    for line, most in enumerate(rng.integers(2, 8, count)):
        letters[line, blanks[line, :most]] = ord(" ")
    return [row.tobytes().decode() for row in letters]
