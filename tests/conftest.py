"""What holds for all tests: the longest modules come first, so that workers that share them out end together."""

from __future__ import annotations

import gc
import signal

import pytest

# A worker holds a million objects to its end, those of the libraries and the tests. Looking through them for cyclic
# garbage as often as Python does takes a third of the time of collecting the tests.
gc.set_threshold(100_000, 20, 20)
# Shells start what runs in the background deaf to it; tests that interrupt themselves would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

LONGEST_FIRST = (
    "tests/end_to_end/test_the_job.py",
    "tests/landing/test_integrity.py",
    "tests/end_to_end/test_planted_faults.py",
    "tests/end_to_end/test_against_oracle.py",
    "tests/end_to_end/test_continued_builds.py",
    "tests/security/test_canaries.py",
    "tests/connectors/test_evm_on_a_chain.py",
    "tests/deploy/test_production.py",
    "tests/connectors/test_postgresql.py",
    "tests/end_to_end/test_refused_loads.py",
    "tests/connectors/test_bitcoin.py",
    "tests/simulate/test_faults.py",
    "tests/models/test_wallets_flows.py",
    "tests/shell/test_shell.py",
    "tests/connectors/test_files_s3.py",
    "tests/simulate/test_collapse.py",
)
"""Modules of twenty seconds or more, by measured time; each goes to one worker."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The modules named, then the others as they were collected."""
    rank = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(rank)))
