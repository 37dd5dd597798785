"""`python -m dashboard --store URL [--host HOST] [--port N] [--headless]`: the dashboard as a program of its own."""

import argparse
import os
import sys

from dashboard._launch import DEFAULT_PORT, launch
from telemetry import FaultlineError


def main(arguments: list[str] | None = None) -> int:
    """Serve until stopped; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dashboard", description="Faultline's dashboard, in a web browser.")
    parser.add_argument("--store", default=os.environ.get("FAULTLINE_STORE", "./faultline-data"), help="store to show")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; others than this machine need sign-in"
    )
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--headless", action="store_true", help="do not open a web browser")
    given = parser.parse_args(arguments)
    try:
        launch(given.store, given.host, given.port, open_browser=not given.headless and sys.stdout.isatty())
    except FaultlineError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
