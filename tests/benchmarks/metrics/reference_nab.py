"""The NAB score straight from Lavin & Ahmad 2015, one point, one threshold and one window at a time."""

import math


def sigma(y):
    return 2 * (1 / (1 + math.exp(5 * y))) - 1


def raw_score(scores, windows, threshold, tp, fp, fn):
    n = len(scores)
    start = min(math.floor(0.15 * n), 750)
    alerts = [i for i in range(start, n) if scores[i] >= threshold]
    total = 0.0
    for left, right in windows:
        if right < start:
            continue
        hits = [i for i in alerts if left <= i <= right]
        if hits:
            width = right - left + 1
            total += tp * sigma(-(right - min(hits) + 1) / width) / sigma(-1)
        else:
            total -= fn
    for i in alerts:
        if any(left <= i <= right for left, right in windows):
            continue
        before = [(left, right) for left, right in windows if right < i]
        cost = -1.0
        if before:
            left, right = max(before)
            if right > left and (i - right) / (right - left) < 3:
                cost = sigma((i - right) / (right - left))
        total += fp * cost
    return total


def corpus_score(series, tp, fp, fn, threshold):
    found = 0
    raw = 0.0
    for scores, windows in series:
        raw += raw_score(scores, windows, threshold, tp, fp, fn)
        found += sum(1 for _, right in windows if right >= min(math.floor(0.15 * len(scores)), 750))
    return 100 * (raw + fn * found) / (found * (tp + fn))


def best_score(series, tp, fp, fn):
    thresholds = {float(s) for scores, _ in series for s in scores if not math.isnan(s)} | {math.inf}
    return max(corpus_score(series, tp, fp, fn, threshold) for threshold in thresholds)
