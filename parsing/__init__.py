"""From lines to log records: header, template and parameters.

`Parser` is the stage: lines of one partition in, records, template deltas and lineage rules out. `parse_lines` gives
one row an input line, for the command `parse`; `explain` says in words which header formats were found. Headers are
learnt line by line (`_sniff`) and taken off by small programs (`_program`); known message shapes are served by compiled
code, and only unseen ones reach the engine that learns templates. Nothing depends on batch boundaries. `Redactor` is
the stage before it: secrets and personal data out of a whole batch, spans, metrics and dead letters included.
"""

from parsing._layouts import NAMED_FORMATS
from parsing._lines import PARSED_LINES, explain, parse_lines
from parsing._parser import FORMAT_VERSION, Parser
from parsing._redact import Redactor
from parsing._secrets import KINDS as REDACTION_KINDS
from parsing._settings import ParserSettings

__all__ = [
    "FORMAT_VERSION",
    "NAMED_FORMATS",
    "PARSED_LINES",
    "REDACTION_KINDS",
    "Parser",
    "ParserSettings",
    "Redactor",
    "explain",
    "parse_lines",
]
