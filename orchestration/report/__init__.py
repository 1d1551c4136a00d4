"""The solvency report: what was published, as a page for people who don't query."""
