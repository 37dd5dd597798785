"""What Streamlit runs for this page."""

from dashboard._overview import render

render()
