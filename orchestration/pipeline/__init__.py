"""The steps of one run, as plain functions over the build file. Dagster calls them (``orchestration.defs``)."""
