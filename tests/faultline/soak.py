"""A soak's chaos, and its checks: every record sent is looked for, and all results are those of a calm run."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from contents import tables
from crew import Crew
from soak_input import Sent

from storage import Reader, Store

ZOMBIE = "zombie"


@dataclass
class Found:
    """What a store lacks of what was sent, has too often, and has although nobody sent it; by table."""

    lost: Counter[str] = field(default_factory=Counter)
    doubled: Counter[str] = field(default_factory=Counter)
    strange: Counter[str] = field(default_factory=Counter)

    @property
    def nothing(self) -> bool:
        """Whether all is there once, and nothing else."""
        return not any((self.lost.total(), self.doubled.total(), self.strange.total()))

    def __str__(self) -> str:
        return "; ".join(f"{name} {dict(+count) or 0}" for name, count in vars(self).items())


_WHERE = 'concat_ws(\'/\', "partition", "offset"'
_IDS = {
    "logs": f"{_WHERE}, line, CASE service WHEN 'till' THEN regexp_extract(body, '(\\d+)', 1) ELSE '' END)",
    "metrics": f"{_WHERE}, service, metric, value)",
    "spans": f"{_WHERE}, span_id)",
    "dead_letters": f"concat(regexp_extract(source, '(logs|metrics|spans)', 1), '/', {_WHERE}))",
}
_SUMS = {
    "log_counts": (
        "SELECT minute, service, severity_number, template_id, sum(count) AS n FROM raw_log_counts GROUP BY ALL",
        """SELECT date_trunc('minute', time) AS minute, service, severity_number, template_id, count(*) AS n
           FROM raw_logs GROUP BY ALL""",
    ),
    "templates": (
        "SELECT template_id, service, sum(count) AS n FROM raw_templates GROUP BY ALL",
        "SELECT template_id, service, count(*) AS n FROM raw_logs GROUP BY ALL",
    ),
}
_LEDGER = """SELECT sum(read)::BIGINT AS read, sum(stored + joined + dead_lettered + filtered)::BIGINT AS kept FROM
             (SELECT app_id, arg_max(COLUMNS(* EXCLUDE (app_id)), next) FROM raw_ledger GROUP BY app_id)"""


def compare(store: Path, sent: Sent) -> Found:
    """Look for every record sent in every table; sums must count the rows there are, and the ledger all units."""
    found = Found()
    with Store.open(store, create=False).reader("4GiB", 600) as reader:
        for table, number in _IDS.items():
            _compare_ids(found, table, reader.query(f"SELECT {number} AS id FROM raw_{table}"), sent.ids[table])
        for table, (sums, rows) in _SUMS.items():
            _compare_sums(found, table, _counts(reader, sums), _counts(reader, rows))
        totals = reader.query(_LEDGER).to_pylist()[0]
    _compare_sums(found, "ledger", Counter(n=totals["kept"]), Counter(n=totals["read"]))
    _compare_sums(found, "ledger", Counter(n=totals["read"]), Counter(n=sent.units))
    return found


def _compare_ids(found: Found, table: str, stored: pa.Table, sent: list[str]) -> None:
    times, wanted = Counter(stored["id"].to_pylist()), set(sent)
    assert len(wanted) == len(sent)
    found.lost[table] = len(wanted - times.keys())
    found.strange[table] = len(times.keys() - wanted)
    found.doubled[table] = len(stored) - len(times)


def _counts(reader: Reader, sql: str) -> Counter[tuple[object, ...]]:
    return Counter({tuple(row.values())[:-1]: int(row["n"]) for row in reader.query(sql).to_pylist()})


def _compare_sums(found: Found, table: str, sums: Counter, rows: Counter) -> None:  # type: ignore[type-arg]
    found.lost[table] += (rows - sums).total()
    found.doubled[table] += (sums - rows).total()


def differences(store: Path, calm: Path) -> dict[str, str]:
    """Return by table the first row in which two stores differ; times of writing are not compared."""
    one, two = tables(store), tables(calm)
    return {name: _first(one[name], two[name]) for name in one if not one[name].equals(two[name])}


def _first(one: pa.Table, two: pa.Table) -> str:
    both = zip(one.to_pylist(), two.to_pylist(), strict=False)
    rows = next(((a, b) for a, b in both if a != b), ("all of the shorter one equal",))
    return f"{len(one)} and {len(two)} rows; {rows}"


class Chaos:
    """Does something bad to a crew again and again; `done` counts what."""

    def __init__(self, crew: Crew, names: list[str], seed: int, restart_broker: Callable[[], None] | None) -> None:
        self._crew, self._names, self._random = crew, names, random.Random(seed)
        self._restart = restart_broker
        self.done: Counter[str] = Counter()

    def run(self, until: Callable[[], bool], pause_s: float) -> None:
        """Go on until told; wait up to `pause_s` between two acts."""
        self._crew.start(*self._names)
        self._crew.start(ZOMBIE, group="-zombie")
        while not until():
            time.sleep(self._random.uniform(0.2, 1.0) * pause_s)
            self._act(self._random.choice([*self._names, ZOMBIE]), self._random.random())
        for name in [*self._names, ZOMBIE]:
            self._revive(name)

    def __str__(self) -> str:
        names = [*self._names, ZOMBIE]
        fenced = sum(self._crew.said(name).read_text().count("fenced: another worker") for name in names)
        done = ", ".join(f"{count} {kind}" for kind, count in self.done.items())
        return f"{self.done.total()} disturbances ({done}) of {len(names)} workers, {fenced} commits fenced off"

    def _act(self, name: str, dice: float) -> None:
        if self._revive(name):
            self.done["starts without a broker"] += 1
        elif dice < 0.04 and self._restart is not None:
            self._restart()
            self.done["broker restarts"] += 1
        elif dice < 0.3:
            threading.Thread(target=self._stop, args=(name, self._random.uniform(1, 13)), daemon=True).start()
            self.done["stops"] += 1
        else:
            self._crew.kill(name)
            self._crew.start(name, group="-zombie" if name == ZOMBIE else "")
            self.done["kills"] += 1

    def _revive(self, name: str) -> bool:
        """Start a worker again that found no broker when it began; for no other reason may one end."""
        if self._crew.running[name].poll() is None:
            return False
        said = self._crew.said(name).read_text()[-2000:]
        assert "no Kafka broker answers" in said.splitlines()[-1], (name, said)
        self._crew.start(name, group="-zombie" if name == ZOMBIE else "")
        return True

    def _stop(self, name: str, seconds: float) -> None:
        try:
            self._crew.stop(name, seconds)
        except (KeyError, ProcessLookupError):
            return  # killed meanwhile
