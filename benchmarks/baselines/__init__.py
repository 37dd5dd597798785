"""The peers: plain, published methods, as their users run them. A docstring here is what the report prints.

`drain` (Drain3), `series` (metric detectors), `ranking` (root cause rankers). Those that need nothing but the product's
own stage functions live with the tasks.
"""
