"""What Streamlit runs for this page."""

from dashboard._logs import render

render()
