"""Short labelled series drawn at random: runs of all lengths, some at the edges, scores with and without ties."""

import numpy as np


def drawn(seed, longest=100):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, longest))
    labels = np.zeros(n, dtype=bool)
    for _ in range(int(rng.integers(1, 5))):
        start = int(rng.integers(n))
        labels[start : start + int(rng.integers(1, 25))] = True
    if seed % 5 == 0:
        labels[0] = labels[-1] = True
    scores = rng.normal(size=n) + labels * rng.choice([0, 1, 3])
    return labels, np.round(scores) if seed % 3 == 0 else scores
