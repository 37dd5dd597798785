"""The script Streamlit runs on every visit: sign-in where it is configured, navigation, the chosen page."""

from pathlib import Path

import streamlit as st

from dashboard import _auth, _view

st.set_page_config(page_title="Faultline", page_icon="⚡", layout="wide")
st.logo(Path(__file__).with_name("logo.svg"), size="large")
_view.style()
# The folder is not called `pages`: Streamlit would serve such files by their address before this script ran once,
# past the sign-in.
if _auth.admitted():
    st.navigation(
        [
            st.Page("screens/overview.py", title="Overview", url_path="overview", default=True),
            st.Page("screens/incidents.py", title="Incidents", url_path="incidents"),
            st.Page("screens/logs.py", title="Logs", url_path="logs"),
        ],
        position="top",
    ).run()
