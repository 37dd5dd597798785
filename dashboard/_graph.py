"""Places for the services of a call graph: callers left, callees right, few crossings, the same on every run."""

from collections.abc import Iterable

_SWEEPS = 6
_STAGGER = 0.06  # every second layer stands a line of text lower, so that names side by side do not run together


def layout(names: Iterable[str], edges: Iterable[tuple[str, str]]) -> dict[str, tuple[float, float]]:
    """Return service -> (x, y) in 0..1: x by the longest way from a caller nobody calls, y by the neighbours.

    Layers and barycentre sweeps after Sugiyama, Tagawa and Toda (1981). Calls that close a circle are left out of
    the layering. Everything is taken in order of name, so equal input gives an equal picture.
    """
    nodes = sorted(set(names))
    pairs = sorted({(a, b) for a, b in edges if a != b and a in nodes and b in nodes})
    depth = _depths(nodes, pairs)
    layers = [[n for n in nodes if depth[n] == level] for level in range(max(depth.values(), default=-1) + 1)]
    near = {n: sorted({b for a, b in pairs if a == n} | {a for a, b in pairs if b == n}) for n in nodes}
    for sweep in range(_SWEEPS):
        _sort_layers(layers[:: 1 if sweep % 2 == 0 else -1], near, layers)
    width = max(1, len(layers) - 1)
    return {
        n: (i / width, 0.92 * y + _STAGGER * (i % 2))
        for i, layer in enumerate(layers)
        for n, y in zip(layer, _rows(len(layer)), strict=True)
    }


def _rows(count: int) -> list[float]:
    return [(i + 0.5) / count for i in range(count)]


def _sort_layers(order: list[list[str]], near: dict[str, list[str]], layers: list[list[str]]) -> None:
    """Sort each layer in place by the mean height of its nodes' neighbours, as they stand now."""
    for layer in order:
        height = {n: y for each in layers for n, y in zip(each, _rows(len(each)), strict=True)}
        means = {n: sum(height[m] for m in near[n]) / len(near[n]) if near[n] else height[n] for n in layer}
        layer.sort(key=lambda n: (means[n], n))


def _depths(nodes: list[str], pairs: list[tuple[str, str]]) -> dict[str, int]:
    """Longest way from a root to each node, along the pairs that close no circle."""
    forward = _without_circles(nodes, pairs)
    callers = {n: [a for a, b in forward if b == n] for n in nodes}
    depth: dict[str, int] = {}
    waiting = list(nodes)
    while waiting:
        ready = [n for n in waiting if all(a in depth for a in callers[n])]
        depth.update({n: max((depth[a] + 1 for a in callers[n]), default=0) for n in ready})
        waiting = [n for n in waiting if n not in depth]
    return depth


def _without_circles(nodes: list[str], pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave out the pairs that lead back to a node on the way from a root (depth first, roots first)."""
    callees = {n: [b for a, b in pairs if a == n] for n in nodes}
    called = {b for _, b in pairs}
    kept: list[tuple[str, str]] = []
    state: dict[str, bool] = {}  # False: on the present way, True: done
    for root in [n for n in nodes if n not in called] + nodes:
        if root in state:
            continue
        state[root] = False
        way = [(root, iter(callees[root]))]
        while way:
            node, rest = way[-1]
            callee = next(rest, None)
            if callee is None:
                state[node] = True
                way.pop()
            elif state.get(callee) is not False:
                kept.append((node, callee))
                if callee not in state:
                    state[callee] = False
                    way.append((callee, iter(callees[callee])))
    return kept
