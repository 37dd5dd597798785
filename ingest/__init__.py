"""Everything that comes in: sources, decoders and the readers of recorded cases.

A `Source` (`FilesSource`, `StdinSource`, `KafkaSource`, `OtlpSource`) gives batches of log lines, metric points and
spans, with the position each ends at; what cannot be decoded comes out as dead letters. `read_matrix`,
`read_metrics_csv`, `read_graph` and `read_case` read recorded metric tables and root-cause cases whole, for the offline
commands. Files that hold the answers of a data set are never opened. Nothing here stores a position: the store does,
and `seek` brings it back.
`fill_topic` and `read_topic` write and read a Kafka topic plainly, to measure a source against.
"""

from ingest._again import decode_again, letter_id
from ingest._ahead import settled
from ingest._case import Case, Matrix, read_case, read_graph, read_matrix, read_metrics_csv, read_normal
from ingest._files import FilesSource, line_starts
from ingest._formats import FORMATS
from ingest._kafka import KafkaSource
from ingest._otlp_access import Access
from ingest._otlp_source import OtlpSource
from ingest._outlet import DeadLetterTopic
from ingest._source import Source
from ingest._stdin import StdinSource
from ingest._topics import fill_topic, read_topic

__all__ = [
    "FORMATS",
    "Access",
    "Case",
    "DeadLetterTopic",
    "FilesSource",
    "KafkaSource",
    "Matrix",
    "OtlpSource",
    "Source",
    "StdinSource",
    "decode_again",
    "fill_topic",
    "letter_id",
    "line_starts",
    "read_case",
    "read_graph",
    "read_matrix",
    "read_metrics_csv",
    "read_normal",
    "read_topic",
    "settled",
]
