"""Settings of the pipeline: command line over environment over file over defaults, each field documented.

`load` reads them and turns every mistake into one line that names the source it came from. The setting
`windows.window_s` is `window_s` in table `[windows]` of the TOML file, and `FAULTLINE_WINDOWS_WINDOW_S` outside.
"""

import os
import socket
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import pydantic_settings
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from telemetry import SettingsError

if TYPE_CHECKING:
    import storage
    from ingest import Access, DeadLetterTopic
    from parsing import ParserSettings, Redactor

DEFAULT_FILE = "faultline.toml"
CONFIG_VARIABLE = "FAULTLINE_CONFIG"
PREFIX = "FAULTLINE_"


def _split(value: object) -> object:
    """Let a list also be written as one comma-separated text, as environment variables need it."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


TextList = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], NoDecode, BeforeValidator(_split)]


Format = Literal[
    "auto",
    "lines",
    "json_logs",
    "json",
    "otlp_logs",
    "otlp_metrics",
    "otlp_traces",
    "prometheus",
    "remote_write",
]


RedactionKind = Literal[
    "private_key",
    "password",
    "jwt",
    "token",
    "api_key",
    "secret",
    "email",
    "card",
    "iban",
]


_LEAST_TOKEN = 16  # characters


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Kafka(_Group):
    """The Kafka source."""

    bootstrap: TextList = Field(("localhost:9092",), min_length=1, description="Brokers to ask first, as `host:port`.")
    topics: TextList = Field(("logs", "metrics", "spans"), min_length=1, description="Topics to read.")
    group: str = Field("faultline", min_length=1, description="Consumer group; its workers share the partitions.")
    client: Literal["kafka-python", "librdkafka"] = Field(
        "kafka-python",
        description="The library that talks to the brokers; `librdkafka` is an extra of that name, about as fast, and "
        "without a limit on decompression.",
    )
    group_instance_id: str | None = Field(
        None,
        min_length=1,
        max_length=249,
        description="Static member id, another for each worker: a restarted one has its partitions back at once.",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to talk to the brokers."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        "PLAIN", description="How to log in, where the protocol is one of the SASL ones."
    )
    sasl_username: str | None = Field(None, description="User name for SASL.")
    sasl_password: SecretStr | None = Field(None, description="Password for SASL; never printed or logged.")
    sasl_password_file: Path | None = Field(None, description="File to read the password from, instead.")
    sasl_token_file: Path | None = Field(
        None, description="OAUTHBEARER: file that holds the token, read at every login, so that it may be renewed."
    )
    formats: dict[str, Format] = Field(
        {},
        description="What the messages of a topic hold, by topic: "
        + ", ".join(f"`{name}`" for name in get_args(Format))
        + "; `auto` tells by the topic's name and the first bytes, and finds all but `remote_write`.",
    )
    dead_letter_topic: str | None = Field(
        None,
        min_length=1,
        description="Topic that gets a copy of every dead letter, at least once: before its position is committed.",
    )
    max_batch_bytes: int = Field(
        64 * 2**20,
        ge=2**20,
        le=2**32,
        description="A record batch that decompresses to more bytes is a dead letter. librdkafka has no such limit and "
        "decompresses whatever comes: use kafka-python where you do not trust who writes to the topics.",
    )
    max_fetch_bytes: int = Field(
        16 * 2**20,
        ge=2**20,
        le=2**26,
        description="What a broker may send at once, a single larger message apart. The source holds at most twice "
        "that for each broker, and asks for more once it is handed on: a slow store holds the brokers back.",
    )
    ssl_cafile: Path | None = Field(None, description="CA certificates (PEM) to trust; unset: those of the system.")
    ssl_certfile: Path | None = Field(None, description="Certificate (PEM) to show the brokers, if they ask for one.")
    ssl_keyfile: Path | None = Field(None, description="Private key (PEM) of that certificate.")
    ssl_key_password: SecretStr | None = Field(None, description="Password of that key; never printed or logged.")

    def options(self) -> dict[str, Any]:
        """Return the security settings under the names kafka-python has for them. Raises SettingsError."""
        found: dict[str, Any] = {"security_protocol": self.security_protocol}
        if self.security_protocol.startswith("SASL"):
            found |= {"sasl_mechanism": self.sasl_mechanism, **self._login()}
        if self.security_protocol.endswith("SSL"):
            files = {name: getattr(self, name) for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile")}
            found |= {name: str(path) for name, path in files.items() if path}
            if self.ssl_key_password:
                found["ssl_password"] = self.ssl_key_password.get_secret_value()
        return found

    def _login(self) -> dict[str, Any]:
        if self.sasl_mechanism == "OAUTHBEARER":
            if self.sasl_token_file is None:
                raise SettingsError("kafka.sasl_mechanism is OAUTHBEARER: kafka.sasl_token_file must name a file")
            return {"sasl_token_file": str(self.sasl_token_file)}
        password = self.sasl_password.get_secret_value() if self.sasl_password else None
        if self.sasl_password_file is not None:
            password = _secret("kafka.sasl_password_file", self.sasl_password_file)
        return {"sasl_plain_username": self.sasl_username, "sasl_plain_password": password}


class Otlp(_Group):
    """The OTLP source: a listener for OTLP/HTTP."""

    listen: str = Field(
        "127.0.0.1:4318",
        pattern=r"^(\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$",
        description="Address to listen on, as `host:port`; one that other machines reach wants a token.",
    )
    token: SecretStr | None = Field(
        None, min_length=_LEAST_TOKEN, description="Bearer token that senders must show; never printed or logged."
    )
    token_file: Path | None = Field(None, description="File to read the token from, instead.")
    tls_certificate: Path | None = Field(None, description="Certificate (PEM, with its chain): senders then use https.")
    tls_key: Path | None = Field(
        None, description="Private key (PEM, without a password) of that certificate, where it is not in the same file."
    )
    allow_anonymous: bool = Field(
        False, description="Listen without a token also where other machines reach: something else keeps strangers out."
    )
    journal: Path | None = Field(
        None,
        description="Local folder of what was acknowledged and is not in the tables yet; unset: `otlp-journal` in the "
        "store, which must then be a local folder.",
    )
    max_backlog_bytes: int = Field(
        2**30, ge=2**20, le=2**40, description="Senders are told to wait while the pipeline is this many bytes behind."
    )

    def access(self) -> "Access":
        """Return who may send. Raises SettingsError."""
        from ingest import Access

        if self.tls_key and not self.tls_certificate:
            raise SettingsError(f"otlp.tls_key is {self.tls_key}: otlp.tls_certificate must name a file as well")
        token = self.token.get_secret_value() if self.token else None
        if self.token_file is not None:
            token = _secret("otlp.token_file", self.token_file)
            if len(token) < _LEAST_TOKEN:
                raise SettingsError(f"otlp.token_file {self.token_file}: want {_LEAST_TOKEN} characters or more in it")
        return Access(token, self.tls_certificate, self.tls_key, self.allow_anonymous)


def _secret(name: str, path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise SettingsError(f"cannot read {name} {path}: {why}") from None


class Fields(_Group):
    """Own names of the fields of JSON log records, before those that are known; `a.b` is field b of object a."""

    time: TextList = Field((), description="Fields that hold the time.")
    severity: TextList = Field((), description="Fields that hold the level.")
    message: TextList = Field((), description="Fields that hold the message.")
    service: TextList = Field((), description="Fields that hold the service.")
    component: TextList = Field((), description="Fields that hold the logger, class or program.")
    trace_id: TextList = Field((), description="Fields that hold the trace id.")
    span_id: TextList = Field((), description="Fields that hold the span id.")


class Parsing(_Group):
    """How log lines become records and templates."""

    format: str = Field(
        "auto",
        min_length=1,
        description="Header format of raw lines: `auto` finds it per service, `message` says there is none, or a name, "
        "or a pattern such as `<date> <time> <level> <component>: <message>`.",
    )
    year: int | None = Field(
        None, ge=1970, le=2200, description="Year in which times without one begin; where they begin again, it goes up."
    )
    timezone: str = Field("UTC", description="Time zone (IANA name) of time stamps that state none.")
    masks: tuple[str, ...] = Field(
        (), description="Regular expressions (RE2 syntax); what they match in a message is always a parameter."
    )
    max_services: int = Field(
        1_000,
        ge=1,
        le=100_000,
        description="Services told apart in a partition; records of further ones go by `__other__`, their name in the "
        "attribute `faultline.service`.",
    )
    max_clusters: int = Field(
        20_000, ge=16, le=1_000_000, description="Templates a service may have; further ones overflow into `<*>`."
    )
    frozen: bool = Field(
        False,
        description="Learn no templates: messages that fit none learnt so far in their partition are counted as `<*>`. "
        "What was turned away can be learnt once this is off again.",
    )


class Redaction(_Group):
    """Secrets and personal data, replaced by `<redacted:KIND>` before anything is parsed, stored or rejected."""

    enabled: bool = Field(True, description="Whether to redact what `run` reads. `parse` has a flag of its own.")
    kinds: Annotated[tuple[RedactionKind, ...], NoDecode, BeforeValidator(_split)] = Field(
        get_args(RedactionKind),
        description="What to look for: fields and URLs with a `password`; a `private_key`, `jwt`, `token` in an "
        "authorization or cookie header; an `api_key` of well-known shape; fields named `secret`, token and the like; "
        "`email` addresses; `card` and `iban` numbers whose checksum is right.",
    )
    patterns: tuple[str, ...] = Field(
        (), description="Regular expressions (RE2 syntax) of your own; what they match is of kind `custom`."
    )


class Windows(_Group):
    """Event-time windows, in which detectors see the world."""

    window_s: int = Field(10, ge=1, le=3600, description="Length of a window in seconds.")
    allowed_lateness_s: float = Field(
        5.0, ge=0, le=3600, description="Seconds a record may lag behind its partition before it counts as late."
    )
    idle_s: float = Field(
        5.0, gt=0, le=86_400, description="A live partition silent for this many seconds holds no window open."
    )


class Commit(_Group):
    """When rows become durable."""

    interval_s: float = Field(1.0, ge=0.1, le=60, description="Rows are committed at most once in this many seconds.")
    max_bytes: int = Field(
        64 * 2**20,
        ge=2**20,
        le=2**32,
        description="Commit earlier at this many pending bytes; once as many wait beside a commit that is being made, "
        "nothing more is read.",
    )
    snapshot_s: float = Field(8.0, ge=1, le=600, description="Seconds between saved states of the stages.")


class Retention(_Group):
    """How long rows are kept. Positions, saved state, templates in use and open incidents always are."""

    days: float = Field(
        14.0, ge=0, le=36_500, description="Days of event time to keep, counted from the newest watermark; 0 keeps all."
    )
    max_bytes: int = Field(
        0, ge=0, description="Size of all tables together above which the oldest files are dropped; 0 is no limit."
    )

    def rule(self) -> "storage.Retention":
        """Return these settings as storage takes them."""
        import storage

        return storage.Retention(self.days or None, self.max_bytes or None)


class Maintenance(_Group):
    """The background work that keeps the tables fast and small."""

    interval_s: float = Field(
        30.0, ge=0, le=86_400, description="Seconds between turns of merging and retention in `run`; 0 is off."
    )


class Metrics(_Group):
    """The pipeline's own metrics."""

    port: int = Field(0, ge=0, le=65_535, description="Loopback port of `/metrics` and `/healthz`; 0 is off.")


class Log(_Group):
    """The pipeline's own log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level to write.")
    format: Literal["auto", "json", "text"] = Field("auto", description="`auto`: text on a terminal, JSON elsewhere.")


class Settings(BaseSettings):
    """All settings. Immutable; every field has a default, so that `Settings()` is a working set."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=PREFIX, env_nested_delimiter="_", env_nested_max_split=1
    )

    store: str = Field("./faultline-data", min_length=1, description="Where the tables live: a folder or a URL.")
    kafka: Kafka = Kafka()
    otlp: Otlp = Otlp()
    fields: Fields = Fields()
    parsing: Parsing = Parsing()
    redaction: Redaction = Redaction()
    windows: Windows = Windows()
    commit: Commit = Commit()
    retention: Retention = Retention()
    maintenance: Maintenance = Maintenance()
    metrics: Metrics = Metrics()
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from the constructor only: `load` merges the sources, so that it can name them in errors."""
        return (init_settings,)

    @property
    def worker_name(self) -> str:
        """What people call the process that runs with these settings."""
        return self.kafka.group_instance_id or f"{socket.gethostname()}-{os.getpid()}"

    def parser(self) -> "ParserSettings":
        """Return what the parsing stage needs of these settings."""
        from parsing import ParserSettings

        return ParserSettings(**self.parsing.model_dump())

    def dead_letter_topic(self) -> "DeadLetterTopic | None":
        """Return the open dead-letter topic, None where none is set. Raises SourceError."""
        from ingest import DeadLetterTopic

        kafka = self.kafka
        if kafka.dead_letter_topic is None:
            return None
        return DeadLetterTopic(kafka.bootstrap, kafka.dead_letter_topic, kafka.options())

    def redactor(self) -> "Redactor | None":
        """Return a redactor for one partition, None where redaction is off. Raises SettingsError for a bad pattern."""
        from parsing import Redactor

        return Redactor(self.redaction.kinds, self.redaction.patterns) if self.redaction.enabled else None


Sources = Sequence[tuple[str, Mapping[str, Any]]]


def load(config: str | Path | None = None, flags: Mapping[str, Any] | None = None) -> Settings:
    """Read all sources and validate; `flags` maps dotted names to values, where None or an empty tuple is "not given".

    `config` defaults to `$FAULTLINE_CONFIG`, else to `faultline.toml` where that exists. Raises SettingsError.
    """
    path = config or os.environ.get(CONFIG_VARIABLE) or (DEFAULT_FILE if Path(DEFAULT_FILE).exists() else None)
    sources = [
        ("the command line", _nest(flags or {})),
        ("the environment", _read_environment()),
        (str(path), _read_file(Path(path)) if path else {}),
    ]
    merged: dict[str, Any] = {}
    for _, values in reversed(sources):
        merged = _merge(merged, values)
    try:
        return Settings(**merged)
    except ValidationError as error:
        raise SettingsError(_explain(error, sources)) from None


def fields() -> Iterator[tuple[str, str, FieldInfo]]:
    """Yield every setting: its dotted name, its environment variable and what pydantic knows of it."""
    for name, info in Settings.model_fields.items():
        group = info.annotation
        inner = group.model_fields if isinstance(group, type) and issubclass(group, _Group) else {}
        for key, field in inner.items():
            yield f"{name}.{key}", f"{PREFIX}{name}_{key}".upper(), field
        if not inner:
            yield name, f"{PREFIX}{name}".upper(), info


def _nest(flags: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in flags.items():
        if value not in (None, ()):
            group, _, field = name.rpartition(".")
            (nested.setdefault(group, {}) if group else nested)[field] = value
    return nested


def _read_environment() -> dict[str, Any]:
    try:
        return EnvSettingsSource(Settings)()
    except pydantic_settings.SettingsError as error:
        raise SettingsError(f"in the environment: {error}; want JSON") from None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {path} is not TOML: {error}") from None


def _merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _explain(error: ValidationError, sources: Sources) -> str:
    """One line for the first mistake: setting, value (unless secret), where it was set, what would be right."""
    found = error.errors(include_url=False)[0]
    keys = [key for key in found["loc"] if isinstance(key, str)]
    name = ".".join(keys)
    origin = next((label for label, values in sources if _holds(values, keys)), "the defaults")
    if found["type"] == "extra_forbidden":
        return f"unknown setting {name} in {origin}; there are: {', '.join(name for name, _, _ in fields())}"
    shown = "" if "password" in name else f" = {found['input']!r}"
    more = f" ({error.error_count() - 1} more wrong)" if error.error_count() > 1 else ""
    return f"setting {name}{shown} in {origin}: {found['msg']}{more}"


def _holds(values: Any, keys: Sequence[str]) -> bool:
    return not keys or (isinstance(values, Mapping) and keys[0] in values and _holds(values[keys[0]], keys[1:]))
