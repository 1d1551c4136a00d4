"""The warehouse described for people: dbt's documentation as one static page, and diagrams of its tables.

What belongs here: putting together what is written elsewhere (dbt's YAML, ``audit``, the published file) for reading.
What doesn't: any description of a table, column or key of its own.
"""
