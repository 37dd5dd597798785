"""Who may see the dashboard: everyone on this machine, or with OIDC configured those on the allow list.

Streamlit's sign-in (`[auth]` in its `secrets.toml`) knows who someone is but not who may come in; the list of
e-mail addresses in FAULTLINE_DASHBOARD_USERS (separated by commas) says that.
"""

import importlib.util
import ipaddress
import os

from telemetry import SettingsError

USERS = "FAULTLINE_DASHBOARD_USERS"
BEHIND_PROXY = "FAULTLINE_DASHBOARD_BEHIND_PROXY"
"""Set to 1 where something in front decides who may come in: a proxy, or a container's port bound to one machine."""


def allowed_users() -> frozenset[str]:
    """Return the e-mail addresses that may come in, in lower case."""
    return frozenset(name.strip().lower() for name in os.environ.get(USERS, "").split(",") if name.strip())


def signing_in() -> bool:
    """Say whether Streamlit's sign-in is configured."""
    import streamlit as st

    try:
        return "auth" in st.secrets
    except FileNotFoundError:
        return False


def loopback(host: str) -> bool:
    """Say whether a host is this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check(host: str) -> None:
    """Raise SettingsError unless it is safe to listen on this host."""
    configured, users = signing_in(), allowed_users()
    if not configured and not users and (loopback(host) or os.environ.get(BEHIND_PROXY) == "1"):
        return
    if not configured:
        raise SettingsError(
            f"the dashboard will not listen on {host} without sign-in: configure [auth] in .streamlit/secrets.toml "
            f"(OpenID Connect) and list who may come in in {USERS}; or listen on 127.0.0.1; or set {BEHIND_PROXY}=1 "
            "where a proxy in front decides that"
        )
    if not users:
        raise SettingsError(f"sign-in is configured but nobody may come in: list e-mail addresses in {USERS}")
    if importlib.util.find_spec("authlib") is None:
        raise SettingsError("sign-in needs the package Authlib 1.3.2 or later, which is not installed")


def admitted() -> bool:
    """Say whether the present visitor may see the pages; where not, draw the sign-in."""
    import streamlit as st

    if not signing_in():
        return not allowed_users()
    if not st.user.is_logged_in:
        st.button("Sign in", on_click=st.login, type="primary")
        return False
    email = str(st.user.get("email") or "").lower()
    if email in allowed_users() and st.user.get("email_verified", True):
        return True
    st.text(f"{email or 'This account'} may not see this dashboard. Ask its owner to add the address.")
    st.button("Sign out", on_click=st.logout)
    return False


def visitor() -> str:
    """Return who is looking, as edits name them: the e-mail address of who signed in, else "dashboard"."""
    import streamlit as st

    return str(st.user.get("email") or "dashboard") if signing_in() else "dashboard"
