"""MT940 (SWIFT): a file's statements, its fields read by the library ``mt940`` and every one of them accounted for.

What belongs here: messages, pages, what fields mean. What doesn't: whether balances and entries agree (``statements``).

The library takes what it can and passes over the rest: a line it can't tell apart is merged into its neighbour, a
field that comes twice replaces the first, 30 February becomes the 28th. So each field's shape is checked before (a
field that SWIFT wouldn't send is refused) and what the library made of it is compared with the text after.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from orchestration.connectors.bank_statements.accounts import is_iban, looks_like_iban, normalised_account
from orchestration.connectors.bank_statements.statements import (
    ACCOUNT_SERVICER_REFERENCE,
    END_TO_END_ID,
    ENTRY_REFERENCE,
    Entry,
    Page,
    references_of,
)
from orchestration.connectors.base import require
from orchestration.connectors.errors import AnswerError, EmptyAnswerError

EXTRA = "bank"
_AGAIN = "get it from the bank again"
_FIELD = re.compile(r":(\d{2}[A-Z]?|NS):(.*)")
_ENVELOPE = re.compile(r"\{[0-35]:(?:[^{}]|\{[^{}]*\})*\}|\{4:|-\}")
_AMOUNT = r"(?=[\d,]{1,15}(?![\d,]))\d+(?:,\d*)?"
_BALANCE = re.compile(rf"([CD])(\d{{6}})([A-Z]{{3}})({_AMOUNT})")
_LINE = re.compile(rf"\d{{6}}(?:\d{{4}})?(R?[CD])[A-Z]?({_AMOUNT})([SNF][A-Z0-9]{{3}})[\s\S]*")
_NUMBER = re.compile(r"(\d{1,5})(?:/(\d{1,5}))?")
_ONCE = ("20", "25", "28", "60", "62")
_IGNORED = frozenset({"13D", "21", "34F", "64", "65", "90C", "90D", "NS"})
_GVC = re.compile(r"(\d{3})\?")


@dataclass(frozen=True, slots=True)
class _Field:
    tag: str
    text: str
    line: int


def mt940_pages(content: bytes, place: str) -> tuple[Page, ...]:
    """The statements of a file, or pages of them. Raises AnswerError for a field that isn't as SWIFT has it."""
    messages = list(_messages(_decoded(content), place))
    if not messages:
        raise EmptyAnswerError(f"{place} holds no statement, which counts as missing", _AGAIN)
    return tuple(_page(fields, place) for fields in messages)


def _decoded(content: bytes) -> str:
    """The text; what isn't UTF-8 is Latin-1, of which only names and remarks can have more than ASCII."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _messages(text: str, place: str) -> Iterator[list[_Field]]:
    """The fields of each message, which begins with field 20."""
    message: list[_Field] = []
    for number, written in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        line = _ENVELOPE.sub("", written).rstrip() if written.startswith(("{", "-}")) else written.rstrip()
        if line in ("", "-"):
            continue
        found = _FIELD.fullmatch(line)
        if found is not None and found[1] == "20":
            if message:
                yield message
            message = []
        if found is not None:
            message.append(_Field(found[1], found[2], number))
        elif message and message[-1].tag in ("61", "86", "NS"):
            message[-1] = _Field(message[-1].tag, f"{message[-1].text}\n{line}", message[-1].line)
        else:
            raise AnswerError(f"{place}, line {number}: {line[:40]!r} belongs to no field of an MT940", _AGAIN)
        if message[0].tag != "20":
            raise AnswerError(f"{place}, line {number}: a message that doesn't begin with field 20", _AGAIN)
    if message:
        yield message


def _page(fields: list[_Field], file: str) -> Page:
    single = _single_fields(fields, file)
    number = _NUMBER.fullmatch(single["28"].text.strip())
    if number is None:
        raise _malformed(single["28"], file)
    opening, closing = _balance(single["60"], file), _balance(single["62"], file)
    identifier = str(int(number[1]))
    place = f"{file}, statement {identifier}" + (f" page {int(number[2])}" if number[2] else "")
    currency = opening.currency
    if closing.currency != currency:
        raise AnswerError(f"{place} opens in {currency} and closes in {closing.currency}", _AGAIN)
    parsed = _parsed(fields, place)
    account = _account(single["25"].text, currency, place)
    return Page(
        place,
        identifier,
        account,
        currency,
        int(number[2]) if number[2] else None,
        single["60"].tag != "60M",
        single["62"].tag != "62M",
        opening.amount,
        closing.amount,
        closing.day,
        None,
        tuple(_entry(item, account) for item in parsed),
    )


def _single_fields(fields: list[_Field], file: str) -> dict[str, _Field]:
    """The fields that a message has once, by number; raise AnswerError for one too few, too many, or out of place."""
    found: dict[str, _Field] = {}
    for number, field in enumerate(fields):
        if field.tag in ("61", "86") or field.tag in _IGNORED:
            if field.tag == "61" and ("60" not in found or "62" in found):
                raise AnswerError(f"{file}, line {field.line}: an entry outside of opening and closing balance", _AGAIN)
            if field.tag == "86" and fields[number - 1].tag not in ("61", "62F", "62M", "62", "64", "65", "NS"):
                raise AnswerError(f"{file}, line {field.line}: field 86 explains no entry", _AGAIN)
            continue
        name = field.tag[:2]
        if name not in _ONCE:
            raise AnswerError(f"{file}, line {field.line}: an MT940 has no field {field.tag}", _AGAIN)
        if name in found:
            raise AnswerError(f"{file}, line {field.line}: field {field.tag} comes twice in one message", _AGAIN)
        found[name] = field
    for name in _ONCE:
        if name not in found:
            raise AnswerError(f"{file}, line {fields[0].line}: the message has no field {name}", _AGAIN)
    return found


@dataclass(frozen=True, slots=True)
class _Balance:
    amount: Decimal
    currency: str
    day: date


def _balance(field: _Field, file: str) -> _Balance:
    found = _BALANCE.fullmatch(field.text)
    if found is None:
        raise _malformed(field, file)
    options = require("mt940", EXTRA).Options.all()
    models = require("mt940.models", EXTRA)
    amount = models.Amount(found[4], found[1], found[3], options=options)
    try:
        day = models.Date(year=found[2][:2], month=found[2][2:4], day=found[2][4:])
    except ValueError as error:
        raise _malformed(field, file) from error
    _require_same(amount.amount, found[4], f"{file}, line {field.line}")
    return _Balance(
        amount.amount if amount.amount else abs(amount.amount), found[3], date(day.year, day.month, day.day)
    )


def _parsed(fields: list[_Field], place: str) -> list[dict[str, Any]]:
    """The entries as the library reads them, one for each field 61, with the field 86 that follows it."""
    library, models = require("mt940", EXTRA), require("mt940.models", EXTRA)
    lines = [field for field in fields if field.tag == "61"]
    # The library moves 30 February to the 28th; without that it refuses it.
    transactions = models.Transactions({"pre_statement": []}, options=library.Options.all())
    for field in lines:
        if _LINE.fullmatch(field.text) is None:
            raise _malformed(field, place)
    needed = [
        field
        for number, field in enumerate(fields)
        if field.tag[:2] in ("25", "60", "61") or (field.tag == "86" and fields[number - 1].tag == "61")
    ]
    try:
        transactions.parse("\n".join(f":{field.tag}:{field.text}" for field in needed))
    except (RuntimeError, ValueError, KeyError, InvalidOperation) as error:
        raise AnswerError(f"{place}: an entry can't be read ({str(error.args[0])[:120]})", _AGAIN) from error
    if len(transactions.transactions) != len(lines):
        raise AnswerError(f"{place}: {len(lines)} entries became {len(transactions.transactions)} in reading", _AGAIN)
    for field, transaction in zip(lines, transactions.transactions, strict=True):
        mark, written = _LINE.fullmatch(field.text).group(1, 2)  # type: ignore[union-attr]
        amount = transaction.data["amount"].amount
        _require_same(amount, written, f"{place}, line {field.line}")
        if amount and (amount > 0) != (mark in ("C", "RD")):
            raise AnswerError(
                f"{place}, line {field.line}: the entry's sign was read wrongly", "report this as a defect"
            )
    return [transaction.data for transaction in transactions.transactions]


def _require_same(amount: Decimal, written: str, place: str) -> None:
    if abs(amount) != Decimal(written.replace(",", ".")):
        raise AnswerError(f"{place}: {written} was read as {amount}", "report this as a defect")


def _entry(data: dict[str, Any], own: str) -> Entry:
    booked_on = data.get("entry_date") or data["date"]
    details = str(data.get("transaction_details") or "")
    counterparty = normalised_account(str(data.get("gvc_applicant_iban") or data.get("applicant_iban") or ""))
    code = str(data["id"]).strip()
    own_code = data.get("transaction_code") or ((_GVC.match(details) or [None, None])[1])
    return Entry(
        data["amount"].amount,
        date(booked_on.year, booked_on.month, booked_on.day),
        references_of(
            (
                (ACCOUNT_SERVICER_REFERENCE, data.get("bank_reference")),
                (END_TO_END_ID, data.get("end_to_end_reference") or _tagged(details, "EREF")),
                (ENTRY_REFERENCE, data.get("customer_reference")),
            )
        ),
        counterparty if counterparty not in ("", own) else None,
        tuple(dict.fromkeys(text for text in (str(own_code or ""), code, code[1:]) if text)),
    )


def _tagged(details: str, word: str) -> str | None:
    """The value of ``/EREF/…/`` in a field 86 of the Dutch and Belgian kind."""
    found = re.search(rf"/{word}/([^/]+)", details.replace("\n", ""))
    return found[1] if found else None


def _account(text: str, currency: str, place: str) -> str:
    """Field 25: an account number or IBAN, some banks' with the currency behind it."""
    account = normalised_account(text)
    bare = account.removesuffix(currency)
    if not is_iban(account) and is_iban(bare):
        account = bare
    if looks_like_iban(account) and not is_iban(account):
        raise AnswerError(f"{place} is of {account}, whose check digits are wrong for an IBAN", "ask the bank")
    if not account:
        raise AnswerError(f"{place} doesn't say which account it is of", _AGAIN)
    return account


def _malformed(field: _Field, file: str) -> AnswerError:
    shown = " ".join(field.text.split())[:60]
    return AnswerError(f"{file}, line {field.line}: field {field.tag} isn't as an MT940 has it ({shown!r})", _AGAIN)
