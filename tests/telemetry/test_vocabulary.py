"""The shared words: ids, severities, schemas, errors."""

import inspect

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import telemetry
from telemetry import TABLES, FaultlineError, format_id, parse_id, severity_number, syslog_severity_number, template_id


@given(st.text())
def test_a_template_id_fits_an_int64_and_comes_back_from_its_hex_form(template: str):
    value = template_id(template)
    assert 0 <= value < 2**63
    assert len(format_id(value)) == 16
    assert parse_id(format_id(value)) == value


def test_template_ids_never_change():
    """Stored rows refer to them: another hash would orphan every table there is."""
    assert format_id(template_id("user <*> logged in")) == "13235f77357e38d0"


@pytest.mark.parametrize("text", ["", "xyz", "-1", "ffffffffffffffff", "1" * 17])
def test_what_is_no_id_is_refused(text: str):
    with pytest.raises(ValueError, match=r"."):
        parse_id(text)


@pytest.mark.parametrize(
    ("word", "number"),
    [("INFO", 9), ("warning", 13), (" Error ", 17), ("CRITICAL", 21), ("E", 17), ("hello", None), (None, None)],
)
def test_severity_words(word: str | None, number: int | None):
    assert severity_number(word) == number


def test_syslog_priorities_keep_their_order():
    numbers = [syslog_severity_number(priority) for priority in range(8)]
    assert numbers == sorted(numbers, reverse=True)
    assert syslog_severity_number(8 * 4 + 3) == telemetry.ERROR_SEVERITY


def test_all_times_are_microseconds_in_utc():
    for name, schema in TABLES.items():
        for field in schema:
            if pa.types.is_timestamp(field.type):
                assert field.type == telemetry.TIME, (name, field.name)


def test_data_is_written_before_the_ledger_and_state_last():
    assert list(TABLES)[-2:] == ["ledger", "state"]


def test_every_error_is_one_of_the_tree():
    errors = [thing for _, thing in inspect.getmembers(telemetry, inspect.isclass) if issubclass(thing, Exception)]
    assert len(errors) > 8
    assert all(issubclass(error, FaultlineError) and error.__doc__ for error in errors)
    assert {error.exit_code for error in errors} == {1, 2}
