"""Average precision, the composite event score, alerts and AC@k, one at a time."""

from reference_vus import runs


def average_precision(labels, scores):
    area, recall_before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        flagged = [i for i, score in enumerate(scores) if score >= threshold]
        hits = sum(labels[i] for i in flagged)
        recall = hits / sum(labels)
        area += (recall - recall_before) * hits / len(flagged)
        recall_before = recall
    return area


def event_f1(labels, flagged):
    events = runs(labels)
    found = sum(1 for start, end in events if any(flagged[start : end + 1]))
    total = sum(flagged)
    precision = sum(1 for a, b in zip(labels, flagged, strict=True) if a and b) / total if total else 0.0
    recall = found / len(events)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def best_event_f1(labels, scores):
    return max(event_f1(labels, [score >= threshold for score in scores]) for threshold in set(scores))


def alert_starts(seconds, flagged, gap):
    starts, last = [], None
    for i, (at, flag) in enumerate(zip(seconds, flagged, strict=True)):
        if flag:
            if last is None or at - last >= gap:
                starts.append(i)
            last = at
    return starts


def ac_at(ranked, truth, k):
    return len(set(ranked[:k]) & set(truth)) / min(k, len(truth))
