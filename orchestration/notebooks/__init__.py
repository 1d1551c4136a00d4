"""Example notebooks over a published warehouse, for marimo.

What belongs here: notebooks, each a Python file that marimo opens. What doesn't: what the pipeline runs.
"""
