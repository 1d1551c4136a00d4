"""The lake: what the warehouse publishes, once more as Parquet files under a catalogue that many processes share.

What belongs here: a DuckLake and the step that brings a publication into it, whole or not at all. What doesn't: the
daily run, which knows nothing of it. The step runs on the newest DuckDB that has the extensions as packages, in an
environment of its own that holds nothing else, so only the standard library and plain parts of the pipeline are
imported here.
"""
