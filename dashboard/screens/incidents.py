"""What Streamlit runs for this page."""

from dashboard._incidents import render

render()
