"""A real, single-node Apache Kafka (KRaft) for tests, run from its Maven artifacts on Java 17.

The jars are fetched once with `mvn` and kept under `~/.cache/faultline/kafka-libs-<version>`.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kafka import KafkaAdminClient

KAFKA_VERSION = "4.3.1"
LIBS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "faultline" / f"kafka-libs-{KAFKA_VERSION}"

_POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>faultline.test</groupId>
  <artifactId>kafka-broker</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{secure},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{secure}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL
ssl.keystore.type=PKCS12
ssl.keystore.location={folder}/broker.p12
ssl.keystore.password={password}
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,OAUTHBEARER
listener.name.sasl_ssl.plain.sasl.jaas.config={plain} required user_{user}="{password}";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={scram} required;
listener.name.sasl_ssl.oauthbearer.sasl.jaas.config={oauth} required unsecuredLoginStringClaim_sub="{user}";
log.dirs={folder}/data
num.partitions=1
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.ms=-1
group.min.session.timeout.ms=1000
log.retention.check.interval.ms=1000
log.segment.delete.delay.ms=100
log.cleaner.backoff.ms=200
"""

_SECURITY = "org.apache.kafka.common.security"
_MODULES = {
    "plain": f"{_SECURITY}.plain.PlainLoginModule",
    "scram": f"{_SECURITY}.scram.ScramLoginModule",
    "oauth": f"{_SECURITY}.oauthbearer.OAuthBearerLoginModule",
}
USER, PASSWORD = "alice", "only-for-tests"
"""Who may log in at the listener `KafkaBroker.secure`; OAuth tokens are believed unsigned."""

_JAVA_FLAGS = (
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)


class BrokerUnavailable(Exception):
    """No broker can be run here; the text says what is missing."""


def ensure_libs() -> Path:
    """Return the folder with Kafka's jars, fetching them with Maven the first time."""
    if LIBS.is_dir():
        return LIBS
    if shutil.which("mvn") is None:
        raise BrokerUnavailable("mvn (Apache Maven) is not on the PATH: it fetches Kafka's jars once")
    LIBS.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=LIBS.parent) as scratch:
        pom = Path(scratch, "pom.xml")
        pom.write_text(_POM)
        jars = Path(scratch, "jars")
        command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode != 0:
            raise BrokerUnavailable(f"mvn could not fetch Kafka {KAFKA_VERSION}: {done.stdout[-300:].strip()}")
        try:
            jars.rename(LIBS)  # atomic, so that a second test run never sees half of it
        except OSError:
            if not LIBS.is_dir():
                raise
    return LIBS


def _free_ports(count: int) -> list[int]:
    """Return ports below those that connections get: else a client might take the port of a broker that is away."""
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            each = held.enter_context(socket.socket())
            with suppress(OSError):
                each.bind(("127.0.0.1", random.randrange(20_000, 32_000)))
                found.append(each.getsockname()[1])
    return found


def _make_certificate(folder: Path) -> Path:
    """Write a key with a certificate of its own for 127.0.0.1; return the certificate's PEM file."""
    store = ["-alias", "broker", "-keystore", str(folder / "broker.p12"), "-storepass", PASSWORD]
    name = ["-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1", "-validity", "30", "-storetype", "PKCS12"]
    for arguments in (
        ["-genkeypair", "-keyalg", "EC", *name],
        ["-exportcert", "-rfc", "-file", str(folder / "ca.pem")],
    ):
        done = subprocess.run(["keytool", *arguments, *store], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise BrokerUnavailable(f"keytool failed: {done.stdout.strip()[-300:]}")
    return folder / "ca.pem"


class KafkaBroker:
    """One broker process with its own data folder; ports and data survive `restart()`."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("java") is None:
            raise BrokerUnavailable("java is not on the PATH: Kafka 4 needs Java 17")
        self._java = ["java", *_JAVA_FLAGS, "-cp", f"{ensure_libs()}/*"]
        self._folder = folder
        self._port, controller, secure = _free_ports(3)
        self._process: subprocess.Popen[bytes] | None = None
        self.bootstrap, self.secure = f"127.0.0.1:{self._port}", f"127.0.0.1:{secure}"
        self.ca = _make_certificate(folder)
        self._config = folder / "server.properties"
        names = {"port": self._port, "controller": controller, "secure": secure, "folder": folder, **_MODULES}
        self._config.write_text(_PROPERTIES.format(user=USER, password=PASSWORD, **names))
        cluster = "AAAAAAAAAAAAAAAAAAAAAA"  # any 16 bytes in base64 will do
        scram = f"SCRAM-SHA-256=[name={USER},password={PASSWORD}]"
        self._run_tool(
            "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._config), "--add-scram", scram
        )

    def _run_tool(self, *arguments: str) -> None:
        done = subprocess.run([*self._java, *arguments], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise BrokerUnavailable(f"{arguments[0]} failed: {done.stderr[-300:].strip()}")

    def start(self, timeout_s: float = 120) -> None:
        """Start the process and wait until it answers."""
        with (self._folder / "broker.log").open("ab") as log:
            command = [*self._java, "kafka.Kafka", str(self._config)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + timeout_s
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise BrokerUnavailable(f"the broker did not come up: {self._log_tail()}")
            time.sleep(0.2)

    def _answers(self) -> bool:
        from kafka import KafkaAdminClient
        from kafka.errors import KafkaError

        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1):
                pass
            admin = KafkaAdminClient(bootstrap_servers=self.bootstrap, bootstrap_timeout_ms=5000)
        except (OSError, KafkaError):
            return False
        try:
            return bool(admin.describe_cluster()["brokers"])
        except KafkaError:
            return False
        finally:
            admin.close()

    def _log_tail(self) -> str:
        return (self._folder / "broker.log").read_text(errors="replace")[-500:].strip()

    def stop(self) -> None:
        """Shut down in order (SIGTERM)."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Shut down without notice (SIGKILL)."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def restart(self) -> None:
        """Stop and start again on the same port with the same data."""
        self.stop()
        self.start()

    def create_topic(self, name: str, partitions: int = 1, **configs: str) -> None:
        """Create a topic and wait until its metadata is there."""
        from kafka.admin import NewTopic

        with _admin(self.bootstrap) as admin:
            admin.create_topics([NewTopic(name, partitions, 1, topic_configs=configs)])
            admin.wait_for_topics([name])

    def delete_topic(self, name: str) -> None:
        """Delete a topic and wait until it is gone."""
        with _admin(self.bootstrap) as admin:
            admin.delete_topics([name])
            while name in admin.list_topics():
                time.sleep(0.05)


@contextmanager
def _admin(bootstrap: str) -> "Iterator[KafkaAdminClient]":
    from kafka import KafkaAdminClient

    client = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        yield client
    finally:
        client.close()
