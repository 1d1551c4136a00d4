"""Outward surfaces for those who run Ringfence: what monitoring and a night shift look at. Plain Python.

What belongs here: telling what stands, from what is published and kept. What doesn't: changing any of it, judging
records (the finding models), telling people about incidents (``alerts``).
"""
