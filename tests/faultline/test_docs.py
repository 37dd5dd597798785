"""The user guide says what the program does: nothing undocumented, nothing documented that is not there."""

import re
import shlex
from pathlib import Path

import click
import pytest

import telemetry
from faultline import reference, settings
from faultline.cli import COMMANDS, cli
from faultline.doctor import OTHER_VARIABLES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
COMMAND_OF = dict(reference.walk(cli))


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_generated_pages_are_current():
    assert page("settings.md") == reference.settings_page(), "run `make docs`"
    assert page("commands.md") == reference.commands_page(), "run `make docs`"


def test_every_setting_has_a_meaning_and_is_documented():
    for name, variable, info in settings.fields():
        assert info.description, name
        assert f"| `{name}` | `{variable}` |" in page("settings.md")
    for variable in OTHER_VARIABLES:
        assert f"`{variable}`" in page("settings.md")


def test_every_command_and_option_is_documented_with_an_example():
    for path, command in COMMAND_OF.items():
        text = page("commands.md").partition(f" faultline {' '.join(path)}\n")[2].partition("\n#")[0]
        assert re.search(r"Examples?:\n +.*faultline " + " ".join(path), text), path
        for option in (option for option in command.params if isinstance(option, click.Option)):
            assert max(option.opts, key=len) in text
            assert option.help, (path, option.name)


def test_the_list_of_commands_says_what_their_help_says():
    for name, summary in COMMANDS.items():
        assert COMMAND_OF[(name,)].get_short_help_str(limit=200) == summary


def test_every_table_and_field_is_documented_with_its_type():
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page("tables.md"), re.MULTILINE | re.DOTALL))
    assert list(sections) == list(telemetry.TABLES)
    for name, schema in telemetry.TABLES.items():
        rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \| (.+) \|$", sections[name], re.MULTILINE)
        assert [(field, kind) for field, kind, _ in rows] == [(field.name, str(field.type)) for field in schema]
        for field, _, meaning in rows:
            nullable = schema.field(field).nullable and schema.field(field).type not in (telemetry.ATTRIBUTES,)
            assert "null" in meaning or not nullable or name == "suspects", f"{name}.{field} may be null: say when"


def examples() -> list[tuple[str, str]]:
    """Every line of a shell block of the guide that calls faultline, continued lines joined."""
    found = []
    for path in PAGES:
        blocks = re.findall(
            r"^```(?:sh|bash|console|shell)\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL
        )
        lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
        found += [(path.name, line) for line in lines if re.search(r"\bfaultline [a-z]", line.partition("#")[0])]
    return found


@pytest.mark.parametrize(("name", "line"), examples())
def test_commands_in_the_guide_exist_with_their_options(name: str, line: str):
    for part in re.split(r"&&|\||;", line.partition(" # ")[0]):
        words = shlex.split(part.removeprefix("$ "))
        if "faultline" in words:
            check(words[words.index("faultline") + 1 :])


def check(words: list[str]) -> None:
    if words[0].startswith("-"):
        return
    command = COMMAND_OF[(words[0],)]
    if isinstance(command, click.Group):
        words = words[1:]
        command = COMMAND_OF[(command.name or "", words[0])]
    known = {opt for option in command.params for opt in option.opts} | {"--help"}
    given = {word.partition("=")[0] for word in words if word.startswith("-") and word != "-"}
    assert given <= known, f"{command.name} has no {given - known}"


def test_make_targets_in_the_guide_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for path in PAGES:
        assert set(re.findall(r"`make ([a-z]+)", path.read_text("utf-8"))) <= targets, path.name


def test_links_between_pages_lead_somewhere():
    for path in PAGES:
        for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text("utf-8")):
            assert (path.parent / link).exists(), f"{path.name} links to {link}"
