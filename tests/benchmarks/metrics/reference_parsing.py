"""GA, PA, FGA and FTA straight from their definitions, with sets of lines."""


def groups(templates, lines):
    found = {}
    for line in lines:
        found.setdefault(templates[line], set()).add(line)
    return found


def f_score(p, r):
    return 0.0 if p + r == 0 else 2 / (1 / p + 1 / r) if p and r else 0.0


def score(truth, parsed):
    parsed = ["" if text is None else text for text in parsed]
    lines = [i for i, text in enumerate(truth) if text is not None]
    true_groups, our_groups = groups(truth, lines), groups(parsed, lines)
    our_sets = list(our_groups.values())
    equal = [members for members in true_groups.values() if members in our_sets]
    ga = sum(len(members) for members in equal) / len(lines)
    fga = f_score(len(equal) / len(our_groups), len(equal) / len(true_groups))
    pa = sum(1 for a, b in zip(truth, parsed, strict=True) if a is not None and a == b) / len(truth)
    right = [text for text, members in our_groups.items() if {truth[i] for i in members} == {text}]
    fta = f_score(len(right) / len(our_groups), len(right) / len(true_groups))
    return ga, pa, fga, fta
