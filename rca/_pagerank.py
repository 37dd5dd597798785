"""Personalised PageRank by power iteration (Page et al. 1999; restart vector as in Jeh and Widom 2003)."""

import numpy as np

from rca._panel import Floats

DAMPING = 0.15
"""Share of the score that walks. Higher values let the graph overrule the evidence and lose accuracy."""


def pagerank(weights: Floats, restart: Floats, damping: float = DAMPING) -> Floats:
    """Return the stationary scores, summing to 1, of a walk that follows `weights[i, j]` (i to j) with probability
    `damping` and jumps to `restart` (non-negative) otherwise. Nodes without an edge out keep what they have.
    """
    total = restart.sum()
    start = restart / total if total > 0 else np.full(len(restart), 1 / max(len(restart), 1))
    out = weights.sum(axis=1)
    move = np.where(out[:, None] > 0, weights / np.where(out > 0, out, 1.0)[:, None], np.eye(len(weights)))
    rank = start
    for _ in range(100):
        new = (1 - damping) * start + damping * (rank @ move)
        if np.abs(new - rank).sum() < 1e-12:
            break
        rank = new
    return rank
