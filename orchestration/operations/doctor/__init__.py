"""Whether all that a run, a pull and an alert need is there: tried thing by thing, each with its remedy.

What belongs here: probes, which change nothing that lasts and judge no record. What doesn't: mending.
"""
