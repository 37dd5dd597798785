"""Settings: who wins, and what a mistake looks like."""

from pathlib import Path

import pytest

from faultline import settings
from telemetry import SettingsError


@pytest.fixture(autouse=True)
def _empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for _, variable, _ in settings.fields():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.delenv(settings.CONFIG_VARIABLE, raising=False)


def file(text: str, name: str = "faultline.toml") -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def test_flag_beats_environment_beats_file_beats_default(monkeypatch):
    assert settings.load().windows.window_s == 10
    file("[windows]\nwindow_s = 20\nidle_s = 7\n")
    assert settings.load().windows.window_s == 20
    monkeypatch.setenv("FAULTLINE_WINDOWS_WINDOW_S", "30")
    assert settings.load().windows.window_s == 30
    found = settings.load(flags={"windows.window_s": 40})
    assert (found.windows.window_s, found.windows.idle_s) == (40, 7)


def test_a_flag_that_was_not_given_counts_for_nothing(monkeypatch):
    monkeypatch.setenv("FAULTLINE_KAFKA_TOPICS", "a, b,")
    assert settings.load(flags={"kafka.topics": (), "store": None}).kafka.topics == ("a", "b")


def test_the_file_is_named_by_flag_then_by_environment(monkeypatch):
    file('store = "by-default"')
    monkeypatch.setenv(settings.CONFIG_VARIABLE, str(file('store = "by-environment"', "other.toml")))
    assert settings.load().store == "by-environment"
    assert settings.load(file('store = "by-flag"', "third.toml")).store == "by-flag"


@pytest.mark.parametrize(
    ("text", "variables", "flags", "parts"),
    [
        ("[windows]\nwindow_s = 0", {}, {}, ["windows.window_s = 0", "faultline.toml", "greater than or equal to 1"]),
        ("[windows]\nwindw_s = 1", {}, {}, ["unknown setting windows.windw_s", "faultline.toml", "windows.window_s"]),
        ("stor = 'x'", {}, {}, ["unknown setting stor ", "faultline.toml", "store"]),
        ("windows = 3", {}, {}, ["windows = 3", "faultline.toml"]),
        ("", {"FAULTLINE_LOG_FORMAT": "xml"}, {}, ["log.format = 'xml'", "the environment", "'json'"]),
        ("", {"FAULTLINE_COMMIT_INTERVAL_S": "nan"}, {}, ["commit.interval_s", "the environment", "finite"]),
        ("", {"FAULTLINE_PARSING_MASKS": "not json"}, {}, ["the environment", "parsing"]),
        ("", {}, {"kafka.topics": ("a", "")}, ["kafka.topics", "the command line"]),
        ("not toml", {}, {}, ["faultline.toml is not TOML"]),
    ],
)
def test_a_mistake_is_one_line_that_names_its_source(monkeypatch, text, variables, flags, parts):
    if text:
        file(text)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        settings.load(flags=flags)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_a_settings_file_asked_for_must_be_there():
    with pytest.raises(SettingsError, match=r"cannot read the settings file nowhere\.toml"):
        settings.load("nowhere.toml")


@pytest.mark.parametrize("wrong", ["kafka.sasl_password", "kafka.sasl_passwort"])
def test_a_password_is_never_shown(wrong, monkeypatch):
    monkeypatch.setenv("FAULTLINE_KAFKA_SASL_PASSWORD", "hunter2")
    assert "hunter2" not in repr(settings.load())
    file(f'[kafka]\n{wrong.partition(".")[2]} = ["hunter3"]')
    monkeypatch.delenv("FAULTLINE_KAFKA_SASL_PASSWORD")
    with pytest.raises(SettingsError) as caught:
        settings.load()
    assert "hunter" not in str(caught.value)


def test_parser_settings_take_over_every_field():
    file('[parsing]\nformat = "message"\nyear = 2020\ntimezone = "Europe/Berlin"\nmasks = ["a+"]\nmax_clusters = 50')
    parser = settings.load().parser()
    found = (parser.format, parser.year, parser.timezone, parser.masks, parser.max_clusters)
    assert found == ("message", 2020, "Europe/Berlin", ("a+",), 50)


def test_kafka_security_comes_under_the_names_of_the_client(monkeypatch):
    assert settings.load().kafka.options() == {"security_protocol": "PLAINTEXT"}
    file('[kafka]\nsecurity_protocol = "SASL_SSL"\nsasl_username = "me"\nssl_cafile = "ca.pem"')
    monkeypatch.setenv("FAULTLINE_KAFKA_SASL_PASSWORD", "hunter2")
    assert settings.load().kafka.options() == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "me",
        "sasl_plain_password": "hunter2",
        "ssl_cafile": "ca.pem",
    }
    file('[kafka]\nsecurity_protocol = "SASL_SSL"\nsasl_mechanism = "OAUTHBEARER"')
    with pytest.raises(SettingsError, match=r"kafka\.sasl_token_file must name a file"):
        settings.load().kafka.options()
    file('[kafka]\nsecurity_protocol = "SASL_SSL"\nsasl_password_file = "nowhere"')
    with pytest.raises(SettingsError, match=r"cannot read kafka\.sasl_password_file nowhere: No such file"):
        settings.load().kafka.options()
