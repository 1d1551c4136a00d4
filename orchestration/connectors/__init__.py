"""Clients of the systems that an exchange runs: each pulls one source's records into the landing zone.

What belongs here: plain Python, no Dagster: one module or folder for each kind of source (``kinds`` lists them), and
what all share: the configuration (``configuration``), secrets (``secrets``), one HTTP client (``http``), pages
that end (``paging``), bounds for hostile input (``limits``), deliveries that land whole or not at all (``delivery``),
and pulling itself (``pulling``). What doesn't: what the records mean, which the warehouse says.
"""
