"""A night in production, from the files of orchestration/deploy: `make test-deploy`."""
