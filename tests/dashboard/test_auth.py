"""Nobody reaches the dashboard from another machine without sign-in."""

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import _auth
from telemetry import SettingsError


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "127.8.8.8", "localhost"])
def test_this_machine_needs_no_sign_in(host: str) -> None:
    _auth.check(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "shop.example", "localhost.example", ""])
def test_other_machines_need_it(host: str) -> None:
    with pytest.raises(SettingsError, match="without sign-in"):
        _auth.check(host)


def test_a_proxy_in_front_may_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_auth.BEHIND_PROXY, "1")
    _auth.check("0.0.0.0")
    monkeypatch.setenv(_auth.USERS, "a@example.org")
    with pytest.raises(SettingsError, match="without sign-in"):
        _auth.check("0.0.0.0")


def test_a_list_of_users_without_sign_in_is_refused_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_auth.USERS, "a@example.org")
    with pytest.raises(SettingsError, match="without sign-in"):
        _auth.check("127.0.0.1")


def test_sign_in_without_a_list_of_users_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_auth, "signing_in", lambda: True)
    with pytest.raises(SettingsError, match="nobody may come in"):
        _auth.check("0.0.0.0")


def _door() -> None:
    import streamlit as st

    from dashboard import _auth

    st.text(f"admitted: {_auth.admitted()}")


@pytest.mark.parametrize(
    ("user", "admitted"),
    [
        ({"is_logged_in": True, "email": "Ann@example.org", "email_verified": True}, True),
        ({"is_logged_in": True, "email": "bob@example.org"}, False),
        ({"is_logged_in": True, "email": "ann@example.org", "email_verified": False}, False),
        ({"is_logged_in": True}, False),
        ({"is_logged_in": False}, False),
    ],
)
def test_only_those_on_the_list_come_in(
    monkeypatch: pytest.MonkeyPatch, user: dict[str, object], admitted: bool
) -> None:
    monkeypatch.setenv(_auth.USERS, "ann@example.org, eve@example.org")
    app = AppTest.from_function(_door)
    app.secrets["auth"] = {"redirect_uri": "http://localhost/oauth2callback"}
    app.user = user
    app.run()
    assert not app.exception
    assert app.text[-1].value == f"admitted: {admitted}"
