"""Log parsing accuracy by template text: GA, PA, FGA, FTA.

Definitions: GA Zhu et al., ICSE-SEIP 2019; PA Dai et al., TSE 2020; FTA Khan et al., ICSE 2022; FGA and the handling
of missing truth Jiang et al., ISSTA 2024 (Loghub-2.0). A group is the set of lines that share one template *text*:
clusters or event ids with equal text are one group. Nothing is normalised here, on neither side; PA and FTA therefore
depend on the version of the truth, which a report has to name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmarks.metrics._classes import harmonic

Texts: TypeAlias = pa.Array | pa.ChunkedArray | Sequence[str | None]


@dataclass(frozen=True)
class ParsingScore:
    """The four figures, each 0 to 1, with how much they rest on."""

    ga: float
    pa: float
    fga: float
    fta: float
    lines: int  # all lines
    scored: int  # lines whose truth is known
    truth_templates: int
    parsed_templates: int


def parsing_score(truth: Texts, parsed: Texts) -> ParsingScore:
    """Score parsed against true templates, one string (or null) a line, in the same order.

    GA   lines in true groups that equal a parsed group as a set / lines.
    FGA  harmonic mean of equal groups / parsed groups and equal groups / true groups.
    PA   lines whose parsed template equals the true one, character by character / lines.
    FTA  harmonic mean of right / parsed templates and right / true templates; a parsed template is right if the true
         templates over its lines are exactly itself. It need not have all of the true template's lines.
    A line without truth is left out of GA, FGA and FTA and wrong in PA; a parsed null is the empty string.
    ValueError: lengths differ, or no line has a truth.
    """
    if len(truth) != len(parsed):
        raise ValueError(f"{len(truth)} true and {len(parsed)} parsed templates; expected one each a line")
    true, ours, known = _codes(truth, parsed)
    if not known.any():
        raise ValueError(f"none of {len(known)} lines has a true template; expected at least one")
    right_lines = int(np.count_nonzero((true == ours) & known))
    lines = len(known)
    true, ours = true[known], ours[known]

    kinds = int(max(true.max(), ours.max())) + 1
    pairs, sizes = np.unique(true * kinds + ours, return_counts=True)
    true_of, our_of = np.divmod(pairs, kinds)
    true_size, our_size = np.bincount(true), np.bincount(ours)
    same = (sizes == true_size[true_of]) & (sizes == our_size[our_of])
    right = (true_of == our_of) & (sizes == our_size[our_of])
    n_true, n_ours = int(np.count_nonzero(true_size)), int(np.count_nonzero(our_size))
    return ParsingScore(
        ga=float(sizes[same].sum() / len(true)),
        pa=right_lines / lines,
        fga=harmonic(int(same.sum()) / n_ours, int(same.sum()) / n_true),
        fta=harmonic(int(right.sum()) / n_ours, int(right.sum()) / n_true),
        lines=lines,
        scored=len(true),
        truth_templates=n_true,
        parsed_templates=n_ours,
    )


def _codes(truth: Texts, parsed: Texts) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return both sides as numbers, equal where the texts are, and where the truth is known."""
    left, right = _texts(truth), pc.fill_null(_texts(parsed), "")
    known = pc.is_valid(left).to_numpy()
    both = pa.chunked_array([*left.chunks, *right.chunks], pa.large_string())
    coded = both.dictionary_encode().combine_chunks()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.chunk(0)
    codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes[: len(left)], codes[len(left) :], known


def _texts(values: Texts) -> pa.ChunkedArray:
    array = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, pa.large_string())
    chunks = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
    return chunks.cast(pa.large_string())
