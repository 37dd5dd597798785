"""Logging in at a real broker over TLS, with both clients."""

import base64
import contextlib
import json
import time
import uuid

import pytest
from kafka_broker import PASSWORD, USER
from source_contract import bodies, drain

from faultline.settings import Kafka
from ingest import KafkaSource
from telemetry import SourceError

pytestmark = pytest.mark.kafka
CLIENTS = ("kafka-python", "librdkafka")


@pytest.fixture(scope="module")
def topic(kafka_broker):
    from kafka import KafkaProducer

    name = f"logs-{uuid.uuid4().hex[:8]}"
    kafka_broker.create_topic(name)
    with contextlib.closing(KafkaProducer(bootstrap_servers=kafka_broker.bootstrap)) as producer:
        producer.send(name, b"a line").get(30)
    return name


def read(broker, topic, client, **settings):
    kafka = Kafka(security_protocol="SASL_SSL", ssl_cafile=broker.ca, **settings)
    options = {"bootstrap_timeout_ms": 4000, **kafka.options()}
    return bodies(drain(KafkaSource(broker.secure, [topic], group=None, once=True, client=client, options=options)))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_password_from_a_file(kafka_broker, topic, tmp_path, mechanism, client):
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    settings = {"sasl_mechanism": mechanism, "sasl_username": USER, "sasl_password_file": tmp_path / "password"}
    assert read(kafka_broker, topic, client, **settings) == ["a line"]


@pytest.mark.parametrize("client", CLIENTS)
def test_token_from_a_file(kafka_broker, topic, tmp_path, client):
    claims = {"sub": USER, "iat": int(time.time()) - 5, "exp": int(time.time()) + 3600}
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "none"}, claims)
    ]
    (tmp_path / "token").write_text(".".join([*parts, ""]))
    settings = {"sasl_mechanism": "OAUTHBEARER", "sasl_token_file": tmp_path / "token"}
    assert read(kafka_broker, topic, client, **settings) == ["a line"]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_wrong_password_is_one_line_without_it(kafka_broker, topic, client):
    with pytest.raises(SourceError) as caught:
        read(kafka_broker, topic, client, sasl_username=USER, sasl_password="hunter2")
    assert "no Kafka broker answers" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)
