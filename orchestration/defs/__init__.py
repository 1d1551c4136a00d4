"""Thin Dagster objects and nothing else: each reads its context, calls one plain function and returns metadata."""
