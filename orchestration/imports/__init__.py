"""Imports: files that others published (court filings, price downloads) turned into a landing zone.

What belongs here: readers of such layouts and what they decide about them. What doesn't: the landing contract
(orchestration/contract.py), reading a landing zone (ingestion), any figure or check (dbt_project).
"""
