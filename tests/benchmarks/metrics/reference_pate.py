"""PATE straight from Ghorbani et al. 2024, threshold by threshold and point by point, for scores without ties."""

import itertools

from reference_vus import runs


def zones(labels, early, late):
    """Per labelled run: (pre-buffer start, start, end, post-buffer end)."""
    found = []
    events = runs(labels)
    for number, (start, end) in enumerate(events):
        limit = events[number + 1][0] if number + 1 < len(events) else len(labels)
        post_end = min(end + late, limit - 1)
        pre_start = max(0, start - early, found[-1][3] + 1 if found else 0)
        found.append((pre_start, start, end, post_end))
    return found


def distance(x, first, last):
    return sum(abs(x - y) for y in range(first, last + 1))


def missed_weight(x, start, end, stretch):
    if x <= start + stretch:
        return 1.0
    return 1 - distance(x, start, start + stretch) / distance(end, start, end)


def precision_recall(labels, flagged, early, late):
    tp = fp = fn = 0.0
    outside = set(flagged)
    for pre_start, start, end, post_end in zones(labels, early, late):
        found = [x for x in range(start, end + 1) if x in flagged]
        tp += len(found)
        if found:
            mine = [x in found for x in range(start, end + 1)]
            first, last = runs(mine)[0]
            stretch = last - first + 1
            fn += sum(missed_weight(x, start, end, stretch) for x in range(start, end + 1) if x not in flagged)
        else:
            fn += end - start + 1
        for x in range(pre_start, start):
            if x in flagged:
                weight = 1 - distance(x, start, end) / distance(pre_start, start, end) if found else 0.0
                tp, fp = tp + weight, fp + 1 - weight
        for x in range(end + 1, post_end + 1):
            if x in flagged:
                weight = 1 - distance(x, start, end) / distance(post_end, start, end)
                tp, fp = tp + weight, fp + 1 - weight
        outside -= set(range(pre_start, post_end + 1))
    fp += len(outside)
    return tp / (tp + fp), tp / (tp + fn) if tp + fn else 0.0


def area(labels, scores, early, late):
    curve = [(0.0, 1.0)]
    for threshold in sorted(scores, reverse=True):
        flagged = {i for i, score in enumerate(scores) if score >= threshold}
        precision, recall = precision_recall(labels, flagged, early, late)
        if recall >= curve[-1][0]:
            curve.append((recall, precision))
    return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in itertools.pairwise(curve))


def pate(labels, scores, early, late):
    pairs = [(e, d) for e in (0, early) for d in (0, late)]
    return sum(area(labels, scores, e, d) for e, d in pairs) / 4
