"""OTLP messages written by hand, in both encodings."""

import base64
import re

from google.protobuf.json_format import MessageToJson
from messages import NOW
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

NS = NOW * 1_000_000_000
TRACE, SPAN = bytes(range(1, 17)), bytes(range(1, 9))


def pairs(**values):
    """Key-value pairs of strings; `__` in a name stands for a dot."""
    return [{"key": key.replace("__", "."), "value": {"string_value": value}} for key, value in values.items()]


RESOURCE = {"attributes": pairs(service__name="cart", k8s__pod__name="cart-1")}


def logs(*records, resource=RESOURCE, scope="shop.Cart"):
    return LogsData(
        resource_logs=[{"resource": resource, "scope_logs": [{"scope": {"name": scope}, "log_records": records}]}]
    )


def spans(*found, resource=RESOURCE):
    return TracesData(
        resource_spans=[{"resource": resource, "scope_spans": [{"scope": {"name": "lib"}, "spans": found}]}]
    )


def metrics(*found, resource=RESOURCE):
    return MetricsData(resource_metrics=[{"resource": resource, "scope_metrics": [{"metrics": found}]}])


def as_json(message):
    """OTLP's JSON: as protobuf writes it, but ids in hexadecimal and enums as numbers."""
    text = MessageToJson(message, use_integers_for_enums=True)
    ids = re.compile(r'"(traceId|spanId|parentSpanId)": "([^"]*)"')
    return ids.sub(lambda found: f'"{found[1]}": "{base64.b64decode(found[2]).hex()}"', text).encode()


def both(message):
    """The message in both encodings."""
    return [message.SerializeToString(), as_json(message)]
