"""Great Expectations suites as code: what may enter (``entry``), what may leave (``leaving``), and how they run.

The rules of single checks are not here but in the dbt project's finding models; these suites assert that nothing has
gone past them. Great Expectations takes seconds to import, so a run asks a process of its own (``server``); of the
modules here, ``rules`` alone can be imported without it.
"""
