"""How each service writes a log line: one formatter a format, all from (time, level, component, message).

Times are microseconds since the epoch, UTC. Seconds are rendered once and cached; a line only adds the fraction.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from json import dumps

Formatter = Callable[[int, str, str, str, str], str]
"""(time_us, level, component, message, trace_id) -> text, possibly of several lines, without the final newline."""

_PINO = {"DEBUG": "debug", "INFO": "info", "WARN": "warn", "ERROR": "error", "FATAL": "fatal"}
_SERILOG = {"DEBUG": "Debug", "INFO": "Information", "WARN": "Warning", "ERROR": "Error", "FATAL": "Fatal"}
_PYTHON = {"DEBUG": "DEBUG", "INFO": "INFO", "WARN": "WARNING", "ERROR": "ERROR", "FATAL": "CRITICAL"}
_POSTGRES = {"DEBUG": "DEBUG1", "INFO": "LOG", "WARN": "WARNING", "ERROR": "ERROR", "FATAL": "FATAL"}
_REDIS = {"DEBUG": ".", "INFO": "*", "WARN": "#", "ERROR": "#", "FATAL": "#"}
_RABBIT = {"DEBUG": "debug", "INFO": "info", "WARN": "warning", "ERROR": "error", "FATAL": "critical"}
_SYSLOG = {"DEBUG": 7, "INFO": 6, "WARN": 4, "ERROR": 3, "FATAL": 2}
_NGINX = {"DEBUG": "debug", "INFO": "notice", "WARN": "warn", "ERROR": "error", "FATAL": "crit"}


@lru_cache(maxsize=64)
def _second(second: int, pattern: str) -> str:
    return datetime.fromtimestamp(second, UTC).strftime(pattern)


def iso(time_us: int) -> str:
    """Return a time as ISO 8601 with microseconds and Z."""
    return f"{_second(time_us // 1_000_000, '%Y-%m-%dT%H:%M:%S')}.{time_us % 1_000_000:06d}Z"


def _stamp(time_us: int, pattern: str, separator: str) -> str:
    return f"{_second(time_us // 1_000_000, pattern)}{separator}{time_us // 1000 % 1000:03d}"


def _nginx(t: int, level: str, component: str, message: str, trace: str) -> str:
    if component == "access":  # message: the request and what follows it; the client's address leads
        address, rest = message.split(" ", 1)
        return f"{address} - - [{_second(t // 1_000_000, '%d/%b/%Y:%H:%M:%S +0000')}] {rest}"
    return f"{_second(t // 1_000_000, '%Y/%m/%d %H:%M:%S')} [{_NGINX[level]}] {message}"


def _pino(t: int, level: str, component: str, message: str, trace: str) -> str:
    record = {"level": _PINO[level], "time": _stamp(t, "%Y-%m-%dT%H:%M:%S", ".") + "Z", "name": component}
    if trace:
        record["trace_id"] = trace
    return dumps({**record, "msg": message}, separators=(",", ":"))


def _serilog(t: int, level: str, component: str, message: str, trace: str) -> str:
    text, _, stack = message.partition("\n")
    record = {"Timestamp": iso(t), "Level": _SERILOG[level], "SourceContext": component, "RenderedMessage": text}
    if stack:
        record["Exception"] = stack
    if trace:
        record["TraceId"] = trace
    return dumps(record, separators=(",", ":"))


def _zap(t: int, level: str, component: str, message: str, trace: str) -> str:
    text, _, stack = message.partition("\n")
    record: dict[str, object] = {"level": level.lower(), "ts": t / 1e6, "caller": component, "msg": text}
    if trace:
        record["trace_id"] = trace
    if stack:
        record["stacktrace"] = stack
    return dumps(record, separators=(",", ":"))


def _logfmt(t: int, level: str, component: str, message: str, trace: str) -> str:
    text = message.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    line = f'time={_stamp(t, "%Y-%m-%dT%H:%M:%S", ".")}Z level={level.lower()} caller={component} msg="{text}"'
    return f"{line} trace_id={trace}" if trace else line


def _spring(t: int, level: str, component: str, message: str, trace: str) -> str:
    stamp = _stamp(t, "%Y-%m-%dT%H:%M:%S", ".")
    return f"{stamp}Z {level:>5} 1 --- [nio-8080-exec-{t % 9 + 1}] {component:<40} : {message}"


def _log4j(t: int, level: str, component: str, message: str, trace: str) -> str:
    return f"{_stamp(t, '%Y-%m-%d %H:%M:%S', ',')} {level:<5} [http-worker-{t % 12 + 1}] {component} - {message}"


def _python(t: int, level: str, component: str, message: str, trace: str) -> str:
    return f"{_stamp(t, '%Y-%m-%d %H:%M:%S', ',')} - {component} - {_PYTHON[level]} - {message}"


def _celery(t: int, level: str, component: str, message: str, trace: str) -> str:
    stamp = _stamp(t, "%Y-%m-%d %H:%M:%S", ",")
    return f"[{stamp}: {_PYTHON[level]}/ForkPoolWorker-{t % 4 + 1}] {component}: {message}"


def _tracing(t: int, level: str, component: str, message: str, trace: str) -> str:
    return f"{iso(t)} {level:>5} {component}: {message}"


def _glog(t: int, level: str, component: str, message: str, trace: str) -> str:
    second = _second(t // 1_000_000, "%Y%m%d %H:%M:%S")
    return f"{level[0]}{second}.{t % 1_000_000:06d} {t % 6 + 41:5d} {component}] {message}"


def _syslog5424(t: int, level: str, component: str, message: str, trace: str) -> str:
    return f"<{128 + _SYSLOG[level]}>1 {iso(t)} shipping-{t % 2} {component} 1 - - {message}"


def _syslog(t: int, level: str, component: str, message: str, trace: str) -> str:
    """The traditional syslog layout with the RFC 3339 time that rsyslog writes to files by default."""
    second = _second(t // 1_000_000, "%Y-%m-%dT%H:%M:%S")
    return f"{second}.{t % 1_000_000:06d}+00:00 notification-{t % 2} {component}[{t % 2 + 17}]: {message}"


def _postgres(t: int, level: str, component: str, message: str, trace: str) -> str:
    stamp = _stamp(t, "%Y-%m-%d %H:%M:%S", ".")
    return f"{stamp} UTC [{t % 40 + 60}] {component} {_POSTGRES[level]}:  {message}"


def _redis(t: int, level: str, component: str, message: str, trace: str) -> str:
    return f"1:{component} {_stamp(t, '%d %b %Y %H:%M:%S', '.')} {_REDIS[level]} {message}"


def _rabbitmq(t: int, level: str, component: str, message: str, trace: str) -> str:
    second = _second(t // 1_000_000, "%Y-%m-%d %H:%M:%S")
    return f"{second}.{t % 1_000_000:06d}+00:00 [{_RABBIT[level]}] {component} {message}"


FORMATS: dict[str, Formatter] = {
    "nginx": _nginx,
    "pino": _pino,
    "serilog": _serilog,
    "zap": _zap,
    "logfmt": _logfmt,
    "spring": _spring,
    "log4j": _log4j,
    "python": _python,
    "celery": _celery,
    "tracing": _tracing,
    "glog": _glog,
    "syslog5424": _syslog5424,
    "syslog": _syslog,
    "postgres": _postgres,
    "redis": _redis,
    "rabbitmq": _rabbitmq,
}
