"""Great Expectations suites as code: what may enter (``entry``), what may leave (``leaving``), and how they run.

The rules of single checks are not here but in the dbt project's finding models; these suites assert that nothing has
gone past them. Importing a module of this package imports Great Expectations, which takes seconds: import it in the
function that needs it.
"""
