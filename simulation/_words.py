"""Fills the `{names}` of a text with values such as a shop's logs hold."""

import random
import re
from collections.abc import Callable
from functools import cache

_WORDS = ("lamp", "desk", "chair", "kettle", "garden", "bike", "phone", "shoes", "tent", "camera", "dhl", "ups")
_NAME = re.compile(r"\{(\w+)\}")

Context = dict[str, str]
"""Values a text may take from where it is said: ms, op, peer, limit, version."""


def _ip(rng: random.Random) -> str:
    bits = rng.getrandbits(16)
    return f"10.0.{bits >> 8}.{bits & 255}"


_MAKERS: dict[str, Callable[[random.Random], str]] = {
    "user": lambda rng: f"u{100000 + rng.getrandbits(17)}",
    "sku": lambda rng: f"SKU-{1000 + rng.getrandbits(12)}",
    "order": lambda rng: f"ORD-{10000000 + rng.getrandbits(22)}",
    "hex": lambda rng: f"{rng.getrandbits(32):08x}",
    "ip": _ip,
    "few": lambda rng: str(1 + rng.getrandbits(3)),
    "n": lambda rng: str(10 + rng.getrandbits(6)),
    "big": lambda rng: str(1000 + rng.getrandbits(13)),
    "huge": lambda rng: str(1_000_000 + rng.getrandbits(24)),
    "amount": lambda rng: f"{5 + rng.getrandbits(8)}.{10 + rng.getrandbits(6)}",
    "pct": lambda rng: f"{rng.getrandbits(5)}.{rng.getrandbits(3)}",
    "word": lambda rng: _WORDS[int(rng.random() * len(_WORDS))],
}


@cache
def _compiled(text: str) -> tuple[str, tuple[str, ...]]:
    return _NAME.sub("%s", text.replace("%", "%%")), tuple(_NAME.findall(text))


def fill(text: str, rng: random.Random, context: Context) -> str:
    """Return the text with each name filled, from the context if it is there, else at random."""
    pattern, names = _compiled(text)
    return pattern % tuple([context[name] if name in context else _MAKERS[name](rng) for name in names])
