"""What every online scorer of numeric series must keep to; `test_contract.py` runs it on each of them.

A subject is a function from a (times, series) matrix to scores of the same shape, and the score at which it alarms.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Subject:
    """One scorer under test. `counts`: it takes whole numbers only, so scaling its input means nothing."""

    name: str
    score: Callable[[np.ndarray], np.ndarray]
    threshold: float
    alarm_rate: float  # stated share of alarms on white noise
    counts: bool = False

    def noise(self, seed: int, times: int, series: int) -> np.ndarray:
        """Return harmless input: white noise, or Poisson counts."""
        rng = np.random.default_rng(seed)
        return (
            rng.poisson(20.0, (times, series)).astype(float) if self.counts else rng.normal(50.0, 4.0, (times, series))
        )


def check_shape_and_missing(subject: Subject) -> None:
    """A missing value has no score; every other cell has a finite one, and no score is negative."""
    values = subject.noise(1, 200, 3)
    values[50:60, 1] = np.nan
    values[:, 2] = np.nan
    scores = subject.score(values)
    assert scores.shape == values.shape
    assert (np.isnan(scores) == np.isnan(values)).all()
    assert (scores[~np.isnan(scores)] >= 0).all()


def check_causal(subject: Subject) -> None:
    """The score of a row is the same whatever follows it."""
    values = subject.noise(2, 300, 2)
    longer = values.copy()
    longer[200:] *= 7
    assert np.array_equal(subject.score(values)[:200], subject.score(longer)[:200])
    assert np.array_equal(subject.score(values[:200]), subject.score(values)[:200])


def check_independent_series(subject: Subject) -> None:
    """A series has the same scores alone and among others, in any order."""
    values = subject.noise(3, 250, 4)
    together = subject.score(values)
    assert np.array_equal(subject.score(values[:, ::-1])[:, ::-1], together)
    assert np.array_equal(subject.score(values[:, 2:3]), together[:, 2:3])


def check_unit_free(subject: Subject) -> None:
    """Milliseconds or microseconds: scores are the same (powers of two keep the arithmetic exact)."""
    if subject.counts:
        return
    values = subject.noise(4, 300, 2)
    values[250, 0] += 60
    assert np.array_equal(subject.score(values), subject.score(values * 1024.0))


def check_constant(subject: Subject) -> None:
    """A constant series is never anomalous; its first change stands out by a finite amount."""
    values = np.full((300, 1), 12.0)
    assert (subject.score(values) < 1).all()
    values[280:] = 13.5 if not subject.counts else 60.0
    scores = subject.score(values)
    assert scores[280, 0] > 2
    assert np.isfinite(scores).all()


def check_quiet_on_noise(subject: Subject) -> None:
    """On white noise alarms are at most as frequent as stated, over 40,000 points."""
    scores = subject.score(subject.noise(5, 2000, 20))
    assert (scores >= subject.threshold).mean() <= subject.alarm_rate


def check_sees_outburst(subject: Subject) -> None:
    """A sudden doubling is an alarm at once, even shortly after the warm-up and after many quiet hours."""
    for at in (60, 1500):
        values = subject.noise(6, at + 5, 1)
        values[at:] = values[at:] * 2 + 10
        assert subject.score(values)[at, 0] >= subject.threshold


def check_learns_new_level(subject: Subject) -> None:
    """A level shift is learned: the detector does not stay locked; and going back is no new alarm."""
    values = subject.noise(7, 900, 1)
    values[300:600] = values[300:600] * 2 + 10
    scores = subject.score(values)[:, 0]
    assert (scores[300:310] >= subject.threshold).mean() >= 0.5
    assert (scores[420:600] >= subject.threshold).mean() < 0.05
    assert (scores[600:900] >= subject.threshold).mean() < 0.05


CHECKS = [value for name, value in sorted(globals().items()) if name.startswith("check_")]
