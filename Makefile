# Each target sets up what it needs; a second run finds it done.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ringfence-setup
BENCH_STAMP := $(VENV)/.ringfence-bench-setup
SPARK_STAMP := $(VENV)/.ringfence-spark-setup
EXTRAS_STAMP := $(VENV)/.ringfence-extras-setup
HEADLINES_STAMP := $(VENV)/.ringfence-headlines-setup
EVM_NODE := tests/connectors/evm_node
EVM_NODE_STAMP := $(EVM_NODE)/node_modules/.package-lock.json
LAKE_VENV := .venv-lake
AUDIT_VENV := .venv-audit
AUDIT_STAMP := $(AUDIT_VENV)/.ringfence-setup
LAKE_STAMP := $(LAKE_VENV)/.ringfence-setup
JOBS ?= 2

export DAGSTER_DISABLE_TELEMETRY := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export GX_ANALYTICS_ENABLED := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Modules are compiled at their first import and the result is kept, whatever the surroundings say: the tests start some
# hundred processes, and compiling triples what Great Expectations takes to load.
unexport PYTHONDONTWRITEBYTECODE

# The installer, for an environment's folder. It reads no pip.conf: where only pip knows the way to a package index, pip
# installs, and takes four times as long. Modules are compiled when they are first imported: most never are.
define install
	@$(1)/bin/python -m pip install --quiet --no-compile --require-hashes -r requirements-setup.lock
	$(1)/bin/uv pip install --quiet --python $(1)/bin/python --require-hashes $(2) || \
		$(1)/bin/python -m pip install --quiet --no-compile --require-hashes $(2)
endef

.PHONY: setup extras headlines demo test test-headlines test-spark test-deploy lint lint-python lint-sql lint-project bench \
	bench-detection lake test-lake sbom audit

setup: $(STAMP)
	@$(BIN)/python -m orchestration.warehouse.prepare

$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(call install,$(VENV),-r requirements.lock)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# The EVM node of the tests is an npm package; without npm its tests are left out, except in continuous integration.
$(EVM_NODE_STAMP): $(EVM_NODE)/package-lock.json
	@if command -v npm >/dev/null; then npm ci --ignore-scripts --no-audit --no-fund --silent --prefix $(EVM_NODE) \
		&& touch $@; else echo "no npm here: the tests on an EVM node are left out" >&2; fi

# Their dependencies are in part those of requirements.lock, so both files are named: a hash of each is asked for.
$(EXTRAS_STAMP): requirements-extras.lock $(STAMP)
	$(call install,$(VENV),-r requirements.lock -r requirements-extras.lock)
	@touch $@

$(BENCH_STAMP): requirements-bench.lock $(STAMP)
	$(call install,$(VENV),-r requirements-bench.lock)
	@touch $@

# Its dependencies are those of requirements.lock, so both files are named: a hash of each is asked for.
$(SPARK_STAMP): requirements-spark.lock $(STAMP)
	$(call install,$(VENV),-r requirements.lock -r requirements-spark.lock)
	@touch $@

# Its dependencies are those of requirements.lock, so both files are named: a hash of each is asked for.
$(HEADLINES_STAMP): requirements-headlines.lock $(STAMP)
	$(call install,$(VENV),-r requirements.lock -r requirements-headlines.lock)
	@touch $@

# MetricFlow, for the command of that name.
headlines: setup $(HEADLINES_STAMP)

test-headlines: headlines
	$(BIN)/python -m pytest tests/metricflow -p no:xdist -q

# The libraries of every kind of source, and those of operations.
extras: setup $(EXTRAS_STAMP)

demo: setup
	@$(BIN)/ringfence demo

# Where tests put their files: in memory if there is room, since most of them write databases and wait for the disk else.
TESTS_FOLDER := $(shell room=$$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1); \
	if [ -w /dev/shm ] && [ "$${room:-0}" -gt 12000000 ]; then echo /dev/shm; else echo "$${TMPDIR:-/tmp}"; fi)

# A module's tests share its fixtures, whole runs among them, so they go to one worker; and in the order collected, since
# the modules with the fewest tests take the longest and would else come last, when there is nothing left to share out.
test: setup $(EXTRAS_STAMP) $(EVM_NODE_STAMP)
	TMPDIR=$(TESTS_FOLDER) $(BIN)/python -m pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder -q

# DuckDB and Spark must come to the same rows; ARGUMENTS=--evidence compares the evidence models too. Java is looked for
# first: without it all else would be in vain.
test-spark:
	@$${JAVA_HOME:+$$JAVA_HOME/bin/}java -version 2>/dev/null || { \
		echo "make test-spark needs Java 17 or later; install it (Debian: apt-get install openjdk-17-jre-headless)" \
			"or point JAVA_HOME to it" >&2; exit 1; }
	@$(MAKE) --no-print-directory setup $(SPARK_STAMP)
	$(BIN)/python -m pytest tests/spark -p no:xdist -q $(ARGUMENTS)

# The parts share out the cores; what each says comes in one piece. Types are checked against the libraries of the extras.
lint: setup $(EXTRAS_STAMP)
	@$(MAKE) --no-print-directory --jobs $(JOBS) --keep-going --output-sync=target lint-sql lint-python lint-project

lint-python:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lint-sql:
	$(BIN)/python .ci/lint_sql.py lint --disable-progress-bar --processes $(JOBS) dbt_project/models dbt_project/tests

lint-project:
	$(BIN)/python -m orchestration.warehouse.prepare --strict

# Sizes as arguments: make bench-detection ARGUMENTS="--seeds 50".
bench-detection: setup
	$(BIN)/ringfence bench detection $(ARGUMENTS)

# Sizes as arguments: make bench ARGUMENTS="--entries 100000000 --memory-limit 6GB".
# PostgreSQL and Java are used if they are there.
bench: setup $(BENCH_STAMP)
	$(BIN)/ringfence bench speed $(if $(ARGUMENTS),$(ARGUMENTS),--curve entries)

$(LAKE_STAMP): requirements-lake.lock
	@test -x $(LAKE_VENV)/bin/python || $(PYTHON) -m venv $(LAKE_VENV)
	$(call install,$(LAKE_VENV),-r requirements-lake.lock)
	@touch $@

# The published warehouse as a DuckLake: make lake ARGUMENTS="publish --warehouse W --catalogue sqlite:C --data D".
lake: $(LAKE_STAMP)
	@$(LAKE_VENV)/bin/python -m orchestration.lake $(if $(ARGUMENTS),$(ARGUMENTS),--help)

test-lake: setup $(LAKE_STAMP)
	$(BIN)/python -m pytest tests/lake -p no:xdist -q

# A night in production, as processes over a real PostgreSQL: some minutes.
test-deploy: setup $(EXTRAS_STAMP)
	$(BIN)/python -m pytest tests/production -p no:xdist -q -s

# What all of it is made of: build/sbom.cdx.json (CycloneDX, from the lock files) and build/licences.csv.
sbom: setup
	@$(BIN)/python .ci/sbom.py build

$(AUDIT_STAMP): requirements-audit.lock
	@test -x $(AUDIT_VENV)/bin/python || $(PYTHON) -m venv $(AUDIT_VENV)
	$(call install,$(AUDIT_VENV),-r requirements-audit.lock)
	@touch $@

# Every pinned package among known vulnerabilities; fails too if one couldn't be looked up. Another service:
# make audit ARGUMENTS="--vulnerability-service osv".
audit: $(AUDIT_STAMP)
	@$(AUDIT_VENV)/bin/python .ci/audit.py $(ARGUMENTS)
