"""From findings to people: incidents, what is said about each and when, and how it is sent until it has arrived.

What belongs here: plain Python, no Dagster: incidents and what becomes of them (``incidents``), where they are kept
(``store``), what a warehouse shows (``observing``). What doesn't: judging records (the finding models).
"""
