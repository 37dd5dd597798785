"""When it began: the split of the history that best explains the metrics as two levels.

For every row the statistic is the gain in squared error of a mean before and a mean after it over one mean, summed over
robustly standardised series clipped at 5 (Scott and Knott 1974, "A cluster analysis method for grouping means"; the
first split of binary segmentation). One pass of cumulative sums; no loop over rows or series.
"""

import numpy as np

from rca._panel import Floats, Panel, filled

_CLIP = 5.0
_MIN_ROWS = 3


def find_onset(data: Panel) -> int:
    """Return the time (microseconds) of the first row of the second level; the last row's if there are too few rows."""
    rows = len(data.times)
    if rows < 2 * _MIN_ROWS:
        return int(data.times[rows // 2 if rows > 1 else -1])
    gain = _gain(_standardised(filled(data.values)))
    split = _MIN_ROWS + int(np.argmax(gain[_MIN_ROWS : rows - _MIN_ROWS + 1]))
    return int(data.times[split])


def _standardised(values: Floats) -> Floats:
    low, centre, high = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
    scale = np.where(high > low, high - low, np.abs(values - centre).mean(axis=0))
    return np.asarray(np.clip((values - centre) / np.where(scale > 0, scale, 1.0), -_CLIP, _CLIP))


def _gain(z: Floats) -> Floats:
    """Gain of splitting before row k, for k = 0..rows (0 at both ends)."""
    rows = len(z)
    sums = np.vstack([np.zeros(z.shape[1]), np.cumsum(z, axis=0)])
    k = np.arange(rows + 1)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = (sums - sums[-1] * k / rows) ** 2 * rows / (k * (rows - k))
    return np.asarray(np.nan_to_num(gain).sum(axis=1))
