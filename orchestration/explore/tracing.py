"""Questions down to the source: landing rows kept behind findings, their files, and what else rests on a row.

What belongs here: SQL on ``audit.source_row``, ``audit.finding_source`` and ``audit.load``. What doesn't: the build
file, which holds every row and which no reader opens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from orchestration.explore.questions import Question

_SAME_FINDING = (
    "behind.as_of_date = $day and behind.check_name = $check and behind.subject_type = $subject_type"
    " and behind.subject_id = $subject and behind.asset is not distinct from $asset"
)


_SPELLED_AS_IT_IS = re.compile(r"[0-9A-Za-z_.:-]+")


def _in_content(text: str) -> str:
    """What to look for before a content is taken apart, which costs far more; nothing if JSON may escape it."""
    return text if _SPELLED_AS_IT_IS.fullmatch(text) else ""


def rows_behind(finding: Mapping[str, Any]) -> Question:
    """Landing rows kept behind a finding, the largest of each table first, and how many there were in all."""
    return Question(
        "select source_table, row_key, source_file, source_row, size, rows_in_all, content"
        " from audit.finding_source as behind"
        " inner join audit.source_row using (source_table, row_key, source_file, source_row)"
        f" where {_SAME_FINDING} order by source_table, position, content",
        {
            "day": finding["as_of_date"],
            "check": finding["check_name"],
            "subject_type": finding["subject_type"],
            "subject": finding["subject_id"],
            "asset": finding["asset"],
        },
    )


def entries_of(account: str) -> Question:
    """Ledger entries of an account that are kept because a finding rests on them, the latest first."""
    return Question(
        "select source_table, row_key, content ->> 'effective_at' as effective_at,"
        " content ->> 'entry_type' as entry_type, content ->> 'asset' as asset,"
        " try_cast(content ->> 'amount' as decimal(38, 18)) as amount,"
        " content ->> 'transaction_id' as transaction_id, content ->> 'reference' as reference,"
        " content ->> 'recorded_at' as recorded_at, source_file, source_row"
        " from audit.source_row where source_table = 'ledger_entries'"
        " and contains(content, $needle) and content ->> 'account_id' = $account"
        " order by effective_at desc, row_key, source_file, source_row",
        {"account": account, "needle": _in_content(account)},
    )


def rows_of_wallet(wallet: str) -> Question:
    """Landing rows about a wallet that are kept because a finding rests on them."""
    return Question(
        "select source_table, row_key,"
        " coalesce(content ->> 'block_time', content ->> 'as_of', content ->> 'valid_from') as moment,"
        " content ->> 'asset' as asset,"
        " try_cast(coalesce(content ->> 'amount', content ->> 'balance') as decimal(38, 18)) as amount, source_file,"
        " source_row from audit.source_row"
        " where source_table in ('wallets', 'wallet_balances', 'wallet_transfers')"
        " and contains(content, $needle) and content ->> 'wallet_id' = $wallet"
        " order by moment desc, source_table, row_key, source_file, source_row",
        {"wallet": wallet, "needle": _in_content(wallet)},
    )


def source_row(table: str, key: str, file: str, number: int) -> Question:
    """One landing row as it arrived."""
    return Question(
        "select * from audit.source_row where source_table = $table and row_key = $key and source_file = $file"
        " and source_row = $number order by content",
        {"table": table, "key": key, "file": file, "number": number},
    )


def deliveries(file: str) -> Question:
    """Every delivery of a file that a run judged, with the digest of its bytes."""
    return Question(
        "select source_file, sha256, outcome, max(rows) as rows, max(bytes) as bytes, partition_date,"
        " min_by(run_id, load_number) as first_run from audit.load where source_file = $file and sha256 <> ''"
        " group by source_file, sha256, outcome, partition_date order by min(load_number)",
        {"file": file},
    )


def transaction_legs(transaction: str) -> Question:
    """Entries of a transaction that are kept."""
    return Question(
        "select source_table, row_key, content ->> 'account_id' as account_id, content ->> 'asset' as asset,"
        " try_cast(content ->> 'amount' as decimal(38, 18)) as amount, content ->> 'entry_type' as entry_type,"
        " source_file, source_row from audit.source_row"
        " where source_table = 'ledger_entries'"
        " and contains(content, $needle) and content ->> 'transaction_id' = $transaction"
        " order by row_key, source_file, source_row",
        {"transaction": transaction, "needle": _in_content(transaction)},
    )


def findings_resting_on(table: str, key: str, file: str, number: int) -> Question:
    """Findings that rest on a landing row, by check and subject, each with its latest day."""
    return Question(
        "select max(as_of_date) as as_of_date, min(as_of_date) as first_day, check_name, subject_type, subject_id,"
        " asset, count(*) as days from audit.finding_source"
        " where source_table = $table and row_key = $key and source_file = $file and source_row = $number"
        " group by check_name, subject_type, subject_id, asset order by check_name, subject_type, subject_id, asset",
        {"table": table, "key": key, "file": file, "number": number},
    )
