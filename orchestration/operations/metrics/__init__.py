"""Metrics for Prometheus: what they are (``catalogue``), where they are read, and how they are handed out.

What belongs here: one collector in a registry of its own, which reads and changes nothing. What doesn't: rules and
dashboards (``orchestration/deploy``), which are files.

Nothing here names anybody: labels are assets, tables, checks, sources and routes, and how many there can be is bounded.
"""
