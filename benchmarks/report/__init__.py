"""The report: results.json for programs, index.html and summary.md for people, per-case values for `bench compare`."""

from benchmarks.report._write import CASES, RESULTS, write_report

__all__ = ["CASES", "RESULTS", "write_report"]
