"""The compose file and the image only use commands, options and variables that exist."""

import re
from pathlib import Path
from typing import Any

import pytest

from faultline import reference, settings
from faultline.cli import cli

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
    assert set(COMPOSE["services"]) == {"kafka", "pipeline", "dashboard", "simulator"}
    assert COMPOSE["services"]["simulator"]["profiles"] == ["demo"]
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
    assert settings.load().kafka.topics == ("logs", "metrics", "spans")


def test_the_dashboard_will_listen_where_the_file_tells_it_to():
    """It refuses other hosts than the loopback address unless told that something in front decides who may come in."""
    from dashboard import _auth

    assert "0.0.0.0" in COMPOSE["services"]["dashboard"]["command"]
    assert _auth.BEHIND_PROXY == BEHIND_PROXY
    assert COMPOSE["services"]["dashboard"]["environment"][BEHIND_PROXY].strip('"') == "1"


def test_ports_are_bound_to_this_machine_only():
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


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
