"""How fast the PostgreSQL connector pulls: python -m tests.connectors.postgresql_throughput [entries] [rounds].

One day of so many entries in a table of other names and types than the contract's, on a local server, from the first
query to the landed file; each round a process of its own; the median of the rounds. Then the day after, of a thousand
entries.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from orchestration.bench.speed.contenders.postgresql_tools import Server, server
from orchestration.settings import environment_of_same_imports

SETTINGS = {"autovacuum": "off", "fsync": "off", "shared_buffers": "1GB", "max_wal_size": "8GB", "timezone": "UTC"}
_LEDGER = """
create table journal (
    id bigint primary key, tx uuid not null, account text not null, coin text not null, amount numeric not null,
    kind text not null, happened timestamptz not null, posted_at timestamptz not null, ref text
);
insert into journal
select
    i, ('00000000-0000-0000-0000-' || lpad((i / 2)::text, 12, '0'))::uuid, 'account-' || (i * 7919 % 100003),
    (array['BTC', 'ETH', 'USD', 'USDC'])[1 + i / 2 % 4],
    (case when i % 2 = 0 then 1 else -1 end) * (((i / 2) * 7919) % 1000000007)::numeric / 100000000,
    (array['TRD', 'FEE', 'DEP'])[1 + i % 3], moment, moment, case when i % 3 = 2 then 'transfer-' || i end
from (
    select i, timestamptz '{day} 00:00:00Z' + i * interval '1 second' * {seconds} as moment
    from generate_series({first}::bigint, {first} + {entries} - 1) as i
) as numbered;
"""
_PULL = """
import json, resource, sys, time
from datetime import date, datetime
from pathlib import Path
from orchestration.connectors.base import Clock
from orchestration.connectors.configuration import load_sources
from orchestration.connectors.pulling import pull_day
(source,) = load_sources(Path(sys.argv[1]))
began, used = time.perf_counter(), time.process_time()
day = date.fromisoformat(sys.argv[3])
manifest = pull_day(source, Path(sys.argv[2]), day, Clock(now=lambda: datetime(2027, 1, 1)))
seconds, processor = time.perf_counter() - began, time.process_time() - used
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(json.dumps({"rows": manifest.files[0].rows, "seconds": seconds, "processor": processor, "megabytes": peak}))
"""


def fill(running: Server, entries: int) -> None:
    """A day of so many entries, and a thousand on the next."""
    running.run(_LEDGER.format(day="2026-11-21", seconds=86_400 / entries, first=0, entries=entries))
    next_day = _LEDGER.format(day="2026-11-22", seconds=0.01, first=entries, entries=1000)
    running.run(next_day[next_day.index("insert") :].replace("+ i * interval", f"+ (i - {entries}) * interval"))
    running.run("create index on journal (posted_at)")
    running.run("vacuum analyze journal")


def configuration(running: Server) -> str:
    ledger = {
        "from": "journal",
        "columns": {
            "entry_id": "id",
            "transaction_id": "tx",
            "account_id": "account",
            "asset": "coin",
            "amount": "amount",
            "entry_type": {"column": "kind", "values": {"TRD": "trade", "FEE": "fee", "DEP": "deposit"}},
            "effective_at": "happened",
            "recorded_at": "posted_at",
            "reference": "ref",
        },
        "cursor": "posted_at",
    }
    address = f"host={running.folder} dbname=postgres user=ringfence"
    source = {"kind": "postgresql", "connection": address, "tables": {"ledger_entries": ledger}}
    return yaml.safe_dump({"sources": {"exchange": source}}, sort_keys=False)


def pull(sources: Path, landing: Path, day: str) -> dict[str, Any]:
    command = [sys.executable, "-c", _PULL, str(sources), str(landing), day]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=environment_of_same_imports(), cwd=Path.cwd()
    )
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def main(entries: int = 5_000_000, rounds: int = 3) -> None:
    with server(SETTINGS) as running, TemporaryDirectory() as folder:
        fill(running, entries)
        sources = Path(folder) / "sources.yaml"
        sources.write_text(configuration(running), encoding="utf-8")
        runs = [pull(sources, Path(folder) / f"landing-{number}", "2026-11-21") for number in range(rounds)]
        assert {run["rows"] for run in runs} == {entries}
        each = [f"{run['seconds']:.1f}" for run in runs]
        middle = sorted(runs, key=lambda run: run["seconds"])[rounds // 2]
        print(
            f"{entries:,} entries in {statistics.median(run['seconds'] for run in runs):.1f} s"
            f" ({entries / middle['seconds']:,.0f} a second; {', '.join(each)}),"
            f" {middle['processor']:.1f} s of this process's own, at most {max(run['megabytes'] for run in runs)} MB;"
            f" load {os.getloadavg()[0]:.1f}"
        )
        after = pull(sources, Path(folder) / "landing-0", "2026-11-22")
        print(f"the day after, {after['rows']:,} entries: {after['seconds']:.1f} s, {after['processor']:.1f} s own")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
