"""An exchange whose customers bear unmistakable names, and a search for them in everything that a run leaves behind.

The search reads what is compressed or stored in pages too: gzip, zip, SQLite, Parquet; and other spellings: upper and
lower case, UTF-16, Base64.
"""

from __future__ import annotations

import base64
import gzip
import io
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.support.small_exchange import LONG_AGO, Row, SmallExchange, Tables, at, healthy_exchange

BAD, WORSE = "2022-01-03", "2022-01-04"
"""A day whose findings are published, and one whose delivery is refused."""

NAMES = {
    "c1": "kanarienvogel31",
    "c2": "zebrafinkmaennchen42",
    "c3": "dompfaffgimpel53",
    "c1-spot": "wellensittich71-spot",
    "c2-margin": "rosenkoepfchen82-margin",
    "c3-spot": "nymphensittich93-spot",
}
MARKS = {
    "device": "geraetenummer4711",
    "bank": "kontonummer0815",
    "address": "bc1qadresse4242",
    "memo": "verwendungszweck99",
    "entry": "buchungssatz77",
}
CANARIES = tuple(name.removesuffix("-spot").removesuffix("-margin") for name in (*NAMES.values(), *MARKS.values()))


def _renamed(tables: Tables) -> None:
    """Customers and their accounts get their names, and their rows say more about them than they need to."""
    for rows in tables.values():
        for row in rows:
            for column, value in row.items():
                if value in NAMES:
                    row[column] = NAMES[value]
                elif column == "name" and isinstance(value, str) and value.lower() in NAMES:
                    row[column] = NAMES[value.lower()].title()
    for row in tables["entity_attributes"]:
        row["attribute_hash"] = f"{MARKS['device']}-{row['entity_id']}"
    shared = {"attribute_type": "bank_account", "attribute_hash": MARKS["bank"], "recorded_at": LONG_AGO}
    tables["entity_attributes"] += [shared | {"entity_id": name} for name in (NAMES["c2"], "mm")]
    for row in tables["ledger_entries"]:
        row["memo"] = MARKS["memo"]
    for row in tables["wallet_transfers"]:
        row["counterparty_address"] = MARKS["address"]


def canary_exchange() -> SmallExchange:
    """The small exchange on whose bad day about everything is wrong with customers' accounts that a check can find."""
    books = healthy_exchange()
    legs = [("c1-spot", "USD", "-250000", "transfer"), ("c3-spot", "USD", "250000", "transfer")]
    books.transaction("let-go-short", at(BAD, 12), legs)
    books.transaction(
        f"{MARKS['entry']}-withdrawal",
        at("2022-01-01", 13),
        [("c3-spot", "XT", "-1", "withdrawal"), ("external", "XT", "1", "withdrawal")],
        reference=f"{MARKS['entry']}-reference",
    )
    books.transaction(
        f"{MARKS['entry']}-lent",
        at(BAD, 14),
        [("mm-spot", "BTC", "-6", "transfer"), ("c2-margin", "BTC", "6", "transfer")],
    )
    books.reference["account_privileges"] = [_privilege("c1-spot", "withdrawal_bypass")]
    books.transfer("to-the-affiliate", at(BAD, 15), "w-btc-hot", "BTC", "-0.5", "withdrawal")
    books.afterwards += [_disagree, _renamed]
    return books


def _privilege(account: str, privilege: str) -> Row:
    return {
        "account_id": account,
        "privilege": privilege,
        "limit_usd": None,
        "valid_from": LONG_AGO,
        "valid_to": None,
        "recorded_at": LONG_AGO,
        "set_by": MARKS["memo"],
    }


def _disagree(tables: Tables) -> None:
    """The engine says something else of a customer's balance than the ledger."""
    for row in tables["balance_snapshots"]:
        if row["account_id"] == "c3-spot" and row["asset"] == "USDC" and row["as_of"].startswith(BAD):
            row["balance"] = "60000"


def spoil(landing: Path) -> None:
    """Break the delivery of the worse day in every way that quotes what it met."""
    ledger = landing / f"ledger_entries/date={WORSE}/rows.csv.gz"
    lines = gzip.decompress(ledger.read_bytes()).decode().splitlines()
    first = lines[1].split(",")
    entry, account = f"{MARKS['entry']}-unknown", NAMES["c1-spot"]
    at_ = f"{WORSE}T12:00:00Z"
    lines += [
        f"{entry}-1,{entry},{NAMES['c2']}-nobody,USD,5,trade,{at_},{at_},,{MARKS['memo']}",
        f"{entry}-2,{entry},{account},USD,{MARKS['memo']},trade,{at_},{at_},,",
        f"{entry}-3,{entry},{account},USD,7,{NAMES['c3']},{at_},{at_},,",
        ",".join([first[0], *first[1:4], "1234", *first[5:]]),
    ]
    ledger.write_bytes(gzip.compress("\r\n".join([*lines, ""]).encode(), mtime=0))
    history = landing / f"ledger_entries/date={BAD}/rows.csv.gz"
    text = gzip.decompress(history.read_bytes()).decode()
    assert "let-go-short-1" in text
    history.write_bytes(gzip.compress(text.replace("-250000", "-240000").encode(), mtime=0))


# the search -----------------------------------------------------------------------------------------------------------


def _spellings(canary: str) -> Iterator[bytes]:
    yield canary.encode()
    yield canary.encode("utf-16-le")
    # Whatever stands before it, one of three alignments of Base64 holds all but its ends.
    for offset in range(3):
        coded = base64.b64encode(b"\0" * offset + canary.encode())
        yield coded[4 if offset else 0 : -4].lower()


_SPELLINGS = {canary: tuple(_spellings(canary)) for canary in CANARIES}


def _plain(content: bytes, name: str) -> Iterator[bytes]:
    """The content itself, and what is packed in it."""
    yield content
    if content[:2] == b"\x1f\x8b":
        yield from _plain(gzip.decompress(content), name)
    elif content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                yield from _plain(archive.read(member), member)
    elif content[:4] == b"PAR1":
        yield repr(pq.read_table(io.BytesIO(content)).to_pylist()).encode()


def values_of_sqlite(path: Path) -> Iterator[bytes]:
    """Every value: a long one lies on several pages, where no search would find what is on the seam."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        names = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
        for (name,) in names:
            for row in connection.execute(f'select * from "{name.decode()}"'):
                yield from (value for value in map(_as_bytes, row) if value)


def _as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else b"" if value is None else str(value).encode()


def found_in(content: bytes, name: str = "") -> set[str]:
    """The canaries in some content, however it is packed."""
    hits: set[str] = set()
    for part in _plain(content, name):
        text = part.lower()
        hits |= {canary for canary, spellings in _SPELLINGS.items() if any(one in text for one in spellings)}
    return hits


def leaks(folder: Path, *allowed: Path) -> dict[str, set[str]]:
    """Files below a folder that hold a canary, or bear one in their path; those allowed to are left out."""
    found: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*")):
        if any(path == place or path.is_relative_to(place) for place in allowed):
            continue
        hits = found_in(str(path.relative_to(folder)).encode())
        if path.is_file():
            content = path.read_bytes()
            hits |= found_in(content)
            if content[:15] == b"SQLite format 3":
                hits |= found_in(b"\0".join(values_of_sqlite(path)))
        if hits:
            found[str(path.relative_to(folder))] = hits
    return found
