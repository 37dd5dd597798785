"""VUS-PR straight from Paparrizos et al. 2022 (buffers of TSB-AD), one threshold and one point at a time."""

import math


def runs(flags):
    found, start = [], None
    for i, flag in enumerate([*flags, False]):
        if flag and start is None:
            start = i
        if not flag and start is not None:
            found.append((start, i - 1))
            start = None
    return found


def soft_labels(labels, length):
    soft = []
    for i, label in enumerate(labels):
        total = 1.0 if label else 0.0
        for start, end in runs(labels):
            distance = start - i if i < start else i - end
            if 1 <= distance <= length // 2:
                total += math.sqrt(1 - distance / length)
        soft.append(min(total, 1.0))
    return soft


def ranges(labels, length):
    joined = []
    for start, end in runs(labels):
        first, last = start - length // 2, end + length // 2
        if joined and joined[-1][1] >= first:
            joined[-1][1] = last
        else:
            joined.append([first, last])
    return joined


def average_precision(labels, scores, length, thresholds):
    n, positives = len(labels), sum(labels)
    soft, places = soft_labels(labels, length), ranges(labels, length)
    falling = sorted(scores, reverse=True)
    area, recall_before = 0.0, 0.0
    for k in range(thresholds):
        threshold = falling[int(k * ((n - 1) / (thresholds - 1)))]
        flagged = [i for i in range(n) if scores[i] >= threshold]
        tp = sum(soft[i] for i in flagged)
        buffer_tp = sum(soft[i] for i in flagged if not labels[i])
        reached = sum(1 for first, last in places if any(first <= i <= last for i in flagged))
        recall = min(1.0, tp / (positives + buffer_tp / 2)) * reached / len(places)
        area += (recall - recall_before) * tp / len(flagged)
        recall_before = recall
    return area


def vus_pr(labels, scores, window, thresholds):
    areas = [average_precision(labels, scores, length, thresholds) for length in range(window + 1)]
    return sum(areas) / len(areas)
