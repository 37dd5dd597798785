"""`python -m benchmarks TASK --data DIR --report DIR`, or `compare A B`: what `faultline bench` starts."""

import argparse
import signal
import sys
from pathlib import Path

from benchmarks._plan import Plan
from benchmarks.tasks import TASKS
from telemetry import FaultlineError


def main(arguments: list[str] | None = None) -> int:
    """Run; return the exit status."""
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end the workers too, and say so
    try:
        return _compare(given) if given.task == "compare" else _run(given)
    except FaultlineError as error:
        sys.stderr.write(f"faultline: error: {' '.join(str(error).split())}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("faultline: error: interrupted; run again to go on\n")
        return 130
    except SystemExit as error:  # of a method's module: the run would end without a word
        sys.stderr.write(f"faultline: error: a method called exit({error.code!r})\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="task", required=True)
    for name in (*TASKS, "all"):
        one = commands.add_parser(name)
        one.add_argument("--data", type=Path, required=True)
        one.add_argument("--report", type=Path, required=True)
        one.add_argument("--seed", type=int, default=0)
        one.add_argument("--jobs", type=int)
        one.add_argument("--bootstrap")
        one.add_argument("--lines", type=int, default=Plan.lines)
    compared = commands.add_parser("compare")
    compared.add_argument("a", type=Path)
    compared.add_argument("b", type=Path)
    return parser


def _run(given: argparse.Namespace) -> int:
    from benchmarks._bench import run
    from benchmarks._progress import Progress

    names = TASKS if given.task == "all" else (given.task,)
    plan = Plan(given.data, given.seed, given.bootstrap, given.lines)
    progress = Progress()
    try:
        run(names, plan, given.report, given.jobs, progress)
    finally:
        progress.close()
    sys.stdout.write((given.report / "summary.md").read_text(encoding="utf-8"))
    sys.stdout.write(f"\nReport: {given.report / 'index.html'}\n")
    return 0


def _compare(given: argparse.Namespace) -> int:
    from benchmarks.compare import compare

    sys.stdout.write(compare(given.a, given.b))
    return 0


if __name__ == "__main__":
    sys.exit(main())
