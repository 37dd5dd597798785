"""Stock Drain3, as a user of the library runs it: one miner a source."""

import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from telemetry import UsageError

DRAIN3_VERSION = "0.9.11"

MASKS = (
    (r"((?<=[^A-Za-z0-9])|^)(([0-9a-f]{2,}:){3,}([0-9a-f]{2,}))((?=[^A-Za-z0-9])|$)", "ID"),
    (r"((?<=[^A-Za-z0-9])|^)(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})((?=[^A-Za-z0-9])|$)", "IP"),
    (r"((?<=[^A-Za-z0-9])|^)([0-9a-f]{6,} ?){3,}((?=[^A-Za-z0-9])|$)", "SEQ"),
    (r"((?<=[^A-Za-z0-9])|^)([0-9A-F]{4} ?){4,}((?=[^A-Za-z0-9])|$)", "SEQ"),
    (r"((?<=[^A-Za-z0-9])|^)(0x[a-f0-9A-F]+)((?=[^A-Za-z0-9])|$)", "HEX"),
    (r"((?<=[^A-Za-z0-9])|^)([\-\+]?\d+)((?=[^A-Za-z0-9])|$)", "NUM"),
)
"""The masks that Drain3's users copy from its examples: hex ids, IP addresses, hex sequences, hex and plain numbers."""

_MASKED = re.compile(r"<:(?:[A-Z]+|\*):>")


def miner(masked: bool) -> Any:
    """Return a fresh Drain3 miner in its default configuration. Raises UsageError for another version of Drain3."""
    from drain3 import TemplateMiner
    from drain3.masking import MaskingInstruction
    from drain3.template_miner_config import TemplateMinerConfig

    if (found := version("drain3")) != DRAIN3_VERSION:
        raise UsageError(f"drain3 {found} is installed; the baseline is defined for drain3 {DRAIN3_VERSION}")
    config = TemplateMinerConfig()
    if masked:
        config.mask_prefix, config.mask_suffix = "<:", ":>"
        config.masking_instructions = [MaskingInstruction(pattern, name) for pattern, name in MASKS]
    return TemplateMiner(config=config)


def drain3_default(lines: Sequence[str], headers: bool) -> list[str]:
    """Drain3 0.9.11 in its default configuration (depth 4, similarity 0.4, no masks), one miner a source, lines fed
    one by one; a line's template is that of its cluster at the end."""
    return _templates(lines, miner(masked=False))


def drain3_masked(lines: Sequence[str], headers: bool) -> list[str]:
    """The same with the six masks of Drain3's own examples, in this order: hex ids, IP addresses, hex sequences (two
    patterns), hex numbers, numbers. A mask's name, and Drain3's own `<:*:>`, become `<*>` in the template. The patterns
    are in benchmarks/baselines/drain.py."""
    return _templates(lines, miner(masked=True))


def _templates(lines: Sequence[str], fresh: Any) -> list[str]:
    clusters = [fresh.add_log_message(line)["cluster_id"] for line in lines]
    texts = {one.cluster_id: _MASKED.sub("<*>", one.get_template()) for one in fresh.drain.clusters}
    return [texts[cluster] for cluster in clusters]
