"""The compose file and the image only use commands, options and variables that exist."""

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from faultline import reference, settings
from faultline.cli import cli
from storage import Store

ROOT = Path(__file__).parents[2]
COMMANDS = dict(reference.walk(cli))
VARIABLES = {variable for _, variable, _ in settings.fields()}


def load(text: str) -> dict[str, Any]:
    """Read the YAML this project writes: nested mappings, flow lists of strings, anchors with `<<: *name`."""
    root: dict[str, Any] = {}
    stack, anchors = [(-1, root)], {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        indent = len(line) - len(line.lstrip())
        key, _, value = line.strip().partition(": ") if ": " in line else (line.strip().removesuffix(":"), "", "")
        while stack[-1][0] >= indent:
            stack.pop()
        parent = stack[-1][1]
        if key == "<<":
            parent.update(anchors[value.removeprefix("*")])
        elif not value or value.startswith("&"):
            parent[key] = {}
            stack.append((indent, parent[key]))
            if value:
                anchors[value[1:]] = parent[key]
        else:
            parent[key] = re.findall(r'"([^"]*)"', value) if value.startswith("[") else value
    return root


BEHIND_PROXY = "FAULTLINE_DASHBOARD_BEHIND_PROXY"  # the dashboard reads it itself

COMPOSE = load((ROOT / "docker-compose.yml").read_text("utf-8"))
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}


def test_the_file_brings_up_what_it_promises():
    profiles = {name: service.get("profiles", []) for name, service in COMPOSE["services"].items()}
    own = {"dashboard": ["demo", "dashboard"], "simulator": ["demo"], "otel-collector": ["otel"]}
    assert profiles == {"kafka": [], "pipeline": [], **own}
    assert set(OURS) == {"pipeline", "dashboard", "simulator"}


@pytest.mark.parametrize("name", OURS)
def test_every_command_and_option_exists(name):
    first, *words = OURS[name]["command"]
    options = {option for parameter in COMMANDS[(first,)].params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= options
    parsed = COMMANDS[(first,)].make_context(first, words, **cli.context_settings)
    parsed.close()


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting_with_a_value_it_can_have(name, monkeypatch):
    for variable, value in OURS[name]["environment"].items():
        if variable.startswith("FAULTLINE_") and variable != BEHIND_PROXY:
            assert variable in VARIABLES
            monkeypatch.setenv(variable, re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value))
    assert settings.load().store == "/data/store"
    assert settings.load().kafka.topics[:3] == ("logs", "metrics", "spans")


def test_the_dashboard_will_listen_where_the_file_tells_it_to():
    """It refuses other hosts than the loopback address unless told that something in front decides who may come in."""
    from dashboard import _auth

    assert "0.0.0.0" in COMPOSE["services"]["dashboard"]["command"]
    assert _auth.BEHIND_PROXY == BEHIND_PROXY
    assert COMPOSE["services"]["dashboard"]["environment"][BEHIND_PROXY].strip('"') == "1"


def test_ports_are_bound_to_this_machine_only():
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_every_service_of_ours_that_stays_says_whether_it_is_well_and_runs_without_rights():
    for name, service in OURS.items():
        assert "healthcheck" in service or name == "simulator"
        assert (service["read_only"], service["cap_drop"]) == ("true", ["ALL"])
    assert re.search(r"^USER faultline$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert "container_name" not in COMPOSE["services"]["pipeline"], "a name can be had once: it could not be scaled"
    assert "ports" not in COMPOSE["services"]["pipeline"]


def test_the_collector_sends_to_topics_that_the_pipeline_reads():
    sent = set(re.findall(r"topic: (\S+)", (ROOT / "otel-collector.yaml").read_text("utf-8")))
    read = re.search(r":-([^}]*)\}", OURS["pipeline"]["environment"]["FAULTLINE_KAFKA_TOPICS"])[1].split(",")
    assert sent == set(read) - {"logs", "metrics", "spans"}


def _free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


class _Up:
    """The file's services as processes of this machine: same commands, same environment, other addresses."""

    def __init__(self, folder: Path, bootstrap: str) -> None:
        self._folder, self._bootstrap = folder, bootstrap
        self.processes: list[subprocess.Popen[bytes]] = []

    def _local(self, text: str, ports: dict[str, str]) -> str:
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text.strip('"'))
        for there, here in {
            "kafka:9092": self._bootstrap,
            "/data": str(self._folder),
            "0.0.0.0": "127.0.0.1",
            **ports,
        }.items():
            text = text.replace(there, here)
        return text

    def start(self, name: str) -> list[str]:
        """Start a service; return its healthcheck as a command of this machine."""
        service, ports = OURS[name], {"9464": _free_port()}
        environment = {key: self._local(value, ports) for key, value in service["environment"].items() if key != "HOME"}
        command = [self._local(word, ports) for word in service["command"]]
        program = [sys.executable, "-m", "faultline", *command]
        with (self._folder / f"{name}.log").open("ab") as said:
            process = subprocess.Popen(program, env={**os.environ, **environment}, stdout=said, stderr=said)
        self.processes.append(process)
        check = [self._local(word, ports) for word in service.get("healthcheck", {}).get("test", [])]
        return [sys.executable, *check[2:]]

    def stop(self) -> list[int]:
        """End all as compose does; return their exit codes."""
        for process in self.processes:
            process.terminate()
        return [process.wait(100) for process in self.processes]


@pytest.mark.kafka
def test_the_services_run_as_the_file_says(kafka_broker, tmp_path):
    """Two pipelines and the simulator, with the file's commands and environment and a real broker."""
    up = _Up(tmp_path, kafka_broker.bootstrap)
    try:
        checks = [up.start(name) for name in ("pipeline", "pipeline", "simulator")]
        for process, check in zip(up.processes, checks, strict=True):
            while len(check) > 1 and subprocess.run(check, capture_output=True, check=False).returncode:
                assert process.poll() is None
                time.sleep(0.2)
        tables = ("logs", "metrics", "spans")
        with Store.open(tmp_path / "store", create=False).reader() as reader:
            while not all(reader.query(f"SELECT count(*) AS n FROM raw_{table}")["n"][0].as_py() for table in tables):
                assert all(process.poll() is None for process in up.processes)
                time.sleep(0.2)
        codes = up.stop()
        assert codes[:2] == [0, 0], (tmp_path / "pipeline.log").read_text()
    finally:
        for process in up.processes:
            process.kill()
            process.wait()


def test_no_image_floats():
    images = [service["image"] for service in COMPOSE["services"].values()]
    images += re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert all(":" in image and not image.endswith(":latest") for image in images)


def test_variables_of_the_examples_exist():
    for name in (".env.example", "Dockerfile"):
        assert set(re.findall(r"FAULTLINE_\w+", (ROOT / name).read_text("utf-8"))) <= VARIABLES, name


def test_the_image_holds_every_package():
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    packages = re.findall(r'"(\w+)"', re.search(r"^packages = (\[.*\])$", text, re.MULTILINE)[1])
    for name in ("Dockerfile", ".dockerignore"):
        assert all(re.search(rf"\b{package}\b", (ROOT / name).read_text("utf-8")) for package in packages)
