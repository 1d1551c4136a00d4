"""The headlines, each defined once: dbt's semantic models and metrics, asked by name.

What belongs here: reading the definitions (``dbt_project/models/metrics``) and having MetricFlow make SQL of them.
What doesn't: a definition, and running the SQL, which goes through the same confined connection as any other query.
"""
