"""The one error of this package."""

from telemetry import FaultlineError


class DataError(FaultlineError):
    """A data set cannot be fetched, or its files are missing, empty, truncated, altered or mislabelled."""
