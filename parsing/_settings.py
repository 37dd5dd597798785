"""What a user can set about parsing, checked when it is set."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from parsing._layouts import pattern_layout
from parsing._masks import compile_masks
from telemetry import SettingsError

ENGINES = ("skeleton", "drain3")


@dataclass(frozen=True)
class ParserSettings:
    """How lines are read and templates are learnt. The defaults are meant for every input.

    `format`: "auto", "message" (lines carry no header and each is a record), a name from `NAMED_FORMATS`, or a
    pattern such as "<date> <time> <level> <component>: <message>". `year`: in which times that lack one begin; None
    takes it from the observed time (a file's date). `timezone`: IANA name for times that state no zone. `service`: for
    lines whose source names none. `masks`: regular expressions (RE2 syntax) whose matches are always parameters.
    `max_services`: services told apart in a partition; what comes from others after them is of the service `__other__`.
    `max_clusters`: templates a service may have before further ones fall into the overflow template `<*>`.
    `frozen`: learn no template; messages that fit none so far fall into `<*>`. `max_fingerprints`: known message
    shapes kept in memory a service. `similarity`, `depth`: Drain's (share of equal tokens; tree depth), used by the
    engine "drain3". Raises SettingsError on a value that cannot be.
    """

    format: str = "auto"
    year: int | None = None
    timezone: str = "UTC"
    service: str | None = None
    masks: tuple[str, ...] = ()
    max_services: int = 1_000
    max_clusters: int = 20_000
    frozen: bool = False
    max_fingerprints: int = 200_000
    similarity: float = 0.4
    depth: int = 4
    engine: str = "skeleton"

    def __post_init__(self) -> None:
        _require(self.engine in ENGINES, "engine", self.engine, f"one of {', '.join(ENGINES)}")
        _require(0 < self.similarity <= 1, "similarity", self.similarity, "above 0 and at most 1")
        _require(self.depth >= 3, "depth", self.depth, "3 or more")
        _require(self.max_services >= 1, "max_services", self.max_services, "1 or more")
        _require(self.max_clusters >= 1, "max_clusters", self.max_clusters, "1 or more")
        _require(self.max_fingerprints >= 2, "max_fingerprints", self.max_fingerprints, "2 or more")
        _require(self.year is None or 1970 <= self.year <= 2200, "year", self.year, "a year from 1970 to 2200")
        _check_timezone(self.timezone)
        compile_masks(self.masks)
        if self.format not in ("auto", "message"):
            pattern_layout(self.format)


def _require(fine: bool, name: str, found: object, want: str) -> None:
    if not fine:
        raise SettingsError(f"parsing setting {name} is {found!r}; want {want}")


def _check_timezone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(f"parsing setting timezone is {name!r}; want an IANA name such as Europe/Berlin") from None
