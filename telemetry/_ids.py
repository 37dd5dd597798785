"""Template ids: stable 63-bit hashes of the normalised template text, so that workers and restarts agree."""

import xxhash

WILDCARD = "<*>"
"""How a parameter's place is written in a template."""


def template_id(template: str) -> int:
    """Return the id of a template text: xxh3-64 of its UTF-8 bytes without the top bit, so that it fits an int64."""
    return xxhash.xxh3_64_intdigest(template.encode("utf-8", "surrogatepass")) & 0x7FFF_FFFF_FFFF_FFFF


def format_id(value: int) -> str:
    """Return an id as people see it: 16 hex digits."""
    return f"{value:016x}"


def parse_id(text: str) -> int:
    """Return the id written as up to 16 hex digits. Raises ValueError if it is not one."""
    value = int(text, 16)
    if not 0 <= value <= 0x7FFF_FFFF_FFFF_FFFF:
        raise ValueError(f"{text!r} is not a template id: want 16 hex digits, the first one 0 to 7")
    return value
