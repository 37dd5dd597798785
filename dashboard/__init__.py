"""The Streamlit app: Overview, Incidents and Logs of a store, live while a pipeline writes it in another process.

Pages (`screens/`, drawn by `_overview`, `_incidents`, `_logs`) ask `_queries` for Arrow tables and `_charts` and
`_graph` for pictures. All text from outside goes through `_words.escaped` or into elements that show plain text.
Nothing here writes to the store, and a visitor's browser asks no other host.
"""

from dashboard._launch import launch

__all__ = ["launch"]
