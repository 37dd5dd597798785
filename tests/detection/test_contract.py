"""Every scorer of numeric series passes the same contract (`scorer_contract.py`, beside this file)."""

import sys
from pathlib import Path

import numpy as np
import pytest

from detection import DETECT_THRESHOLD, score_matrix
from detection._counts import CountScorer

sys.path.insert(0, str(Path(__file__).parent))

import scorer_contract as contract


def _count_scores(values):
    scorer = CountScorer()
    rows = np.arange(values.shape[1])
    scorer.grow(len(rows))
    return np.array([scorer.update(rows, cells, np.where(np.isnan(cells), 0.0, 1.0)).score for cells in values])


SUBJECTS = [
    contract.Subject("metric", score_matrix, DETECT_THRESHOLD, 1e-4),
    contract.Subject("count", _count_scores, 3.0, 1e-3, counts=True),
]


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
def test_contract(check, subject):
    check(subject)
