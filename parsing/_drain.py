"""Drain's fixed-depth tree as the core that groups masked messages (He et al., "Drain: An Online Log Parsing Approach
with Fixed Depth Tree", ICWS 2017), on the `Drain` class of drain3. Saved in our own format; drain3's is not used."""

from collections.abc import Iterator, Sequence
from typing import Any

from drain3.drain import Drain, LogCluster, Node

from parsing._masks import is_place, normalise
from parsing._skeleton import OVERFLOW, Learnt
from telemetry import WILDCARD


class DrainEngine:
    """Groups masked messages into clusters numbered from 1 in order of appearance."""

    def __init__(self, similarity: float, depth: int, max_clusters: int, frozen: bool = False) -> None:
        self._drain = Drain(sim_th=similarity, depth=depth, param_str=WILDCARD)
        self._max_clusters = max_clusters
        self._frozen = frozen

    def learn(self, messages: Sequence[Sequence[str]]) -> Iterator[Learnt]:
        """Yield each message's cluster, and that cluster with its template, having learnt from the message."""
        return map(self._learn, messages)

    def _learn(self, tokens: Sequence[str]) -> Learnt:
        words = "".join(WILDCARD if is_place(token) else token for token in tokens).split(" ") if tokens else []
        drain = self._drain
        if self._frozen:
            known = drain.tree_search(drain.root_node, words, 1.0, True)  # equal but for what is a parameter
            return (known.cluster_id if known else OVERFLOW), []
        cluster = drain.tree_search(drain.root_node, words, drain.sim_th, False)
        if cluster is None:
            if drain.clusters_counter >= self._max_clusters:
                return OVERFLOW, []
            drain.clusters_counter += 1
            cluster = LogCluster(words, drain.clusters_counter)
            drain.id_to_cluster[cluster.cluster_id] = cluster
            drain.add_seq_to_prefix_tree(drain.root_node, cluster)
        else:
            cluster.log_template_tokens = tuple(drain.create_template(words, cluster.log_template_tokens))
        return cluster.cluster_id, [(cluster.cluster_id, normalise(" ".join(cluster.log_template_tokens)))]

    def snapshot(self) -> dict[str, Any]:
        """Return clusters and tree as JSON, in order."""
        clusters = [list(one.log_template_tokens) for one in self._drain.id_to_cluster.values()]
        return {"clusters": clusters, "tree": _saved_node(self._drain.root_node)}

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        for number, tokens in enumerate(saved["clusters"], start=1):
            self._drain.id_to_cluster[number] = LogCluster(tokens, number)
        self._drain.clusters_counter = len(saved["clusters"])
        self._drain.root_node = _restored_node(saved["tree"])


def _saved_node(node: Node) -> list[Any]:
    children = [[token, _saved_node(child)] for token, child in node.key_to_child_node.items()]
    return [children, list(node.cluster_ids)]


def _restored_node(saved: list[Any]) -> Node:
    node = Node()
    node.key_to_child_node = {token: _restored_node(child) for token, child in saved[0]}
    node.cluster_ids = list(saved[1])
    return node
