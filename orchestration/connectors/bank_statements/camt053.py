"""CAMT.053 (ISO 20022, XML): a file's statements, read by a parser that has nothing to lose by a hostile file.

What belongs here: parsing within bounds, the check against our schema (``camt053.xsd``), what its elements mean. What
doesn't: whether balances and entries agree (``statements``).

The parser resolves no entity, loads nothing, and refuses any document type, so that there is nothing to expand or to
fetch. The schema names all that is read; whatever else a bank writes is left out before the check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from orchestration.connectors.bank_statements.accounts import is_iban, normalised_account
from orchestration.connectors.bank_statements.statements import (
    ACCOUNT_SERVICER_REFERENCE,
    END_TO_END_ID,
    ENTRY_REFERENCE,
    Entry,
    Page,
    references_of,
)
from orchestration.connectors.base import require
from orchestration.connectors.errors import AnswerError, EmptyAnswerError, IncompleteError, LimitError
from orchestration.connectors.limits import Limits
from orchestration.imports.amounts import EXACT, plain_text

EXTRA = "bank"
_SCHEMA = Path(__file__).with_name("camt053.xsd")
_XS = "{http://www.w3.org/2001/XMLSchema}"
_NAMESPACE = re.compile(r"\S*camt\.053\.001\.(?:0[2-9]|[1-9][0-9])")
_FIRST_CHUNK, _CHUNK = 1 << 8, 1 << 16
_SHOWN = 200
_BOOKED, _NOT_BOOKED = "BOOK", frozenset({"PDNG", "INFO", "FUTR"})
_OPENING, _CLOSING, _INTERMEDIATE = ("OPBD", "PRCD"), ("CLBD",), "ITBD"


def camt_pages(content: bytes, place: str, limits: Limits) -> tuple[Page, ...]:
    """The statements of a file, or pages of them, as the bank wrote them.

    Raises AnswerError for what is no CAMT.053 by our schema or contradicts itself, LimitError for what is larger or
    deeper than any honest file.
    """
    document = _checked(_parsed(content, place, limits), place)
    made_at = document.findtext("BkToCstmrStmt/GrpHdr/CreDtTm")
    return tuple(_page(statement, place, made_at) for statement in document.iterfind("BkToCstmrStmt/Stmt"))


# Parsing


def _parsed(content: bytes, place: str, limits: Limits) -> Any:
    """The root element, without whatever our schema doesn't name."""
    etree = require("lxml.etree", EXTRA)
    parser = etree.XMLPullParser(
        events=("start", "end"),
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )
    reading = _Reading(place, limits)
    try:
        start = 0
        while start < len(content):
            # In small steps up to the root, so that a document type is refused before anything of it is used.
            step = _CHUNK if reading.namespace else _FIRST_CHUNK
            parser.feed(content[start : start + step])
            reading.follow(parser.read_events())
            start += step
        root = parser.close()
    except etree.XMLSyntaxError as error:
        what = " ".join((error.msg or "no XML").split())[:_SHOWN]
        if "depth" in what.lower() or "huge" in what.lower():
            raise LimitError(
                f"{place} is larger or deeper than any statement ({what})", "see what lies there"
            ) from error
        raise AnswerError(f"{place} is no whole XML ({what})", "get it from the bank again") from error
    return _pruned(root, "Document")


class _Reading:
    """Follows the parser, so that what is hostile is seen while it is read and what isn't needed takes no memory."""

    def __init__(self, place: str, limits: Limits) -> None:
        self.place, self.limits = place, limits
        self.types: list[str | None] = []
        self.namespace = ""

    def follow(self, events: Iterator[tuple[str, Any]]) -> None:
        for event, element in events:
            if event == "end":
                if self.types.pop() is None:
                    element.clear()
                continue
            if not self.types:
                self._begin(element)
            elif len(self.types) >= self.limits.max_nesting:
                raise LimitError(
                    f"{self.place} is nested deeper than {self.limits.max_nesting} levels", "see what lies there"
                )
            self.types.append(self._type_of(element))

    def _begin(self, root: Any) -> None:
        if root.getroottree().docinfo.internalDTD is not None:
            raise AnswerError(
                f"{self.place} declares a document type or entities, which no statement needs", "see who made it"
            )
        self.namespace, _, name = str(root.tag).removeprefix("{").rpartition("}")
        if name != "Document" or not _NAMESPACE.fullmatch(self.namespace):
            shown = (self.namespace or str(root.tag))[:_SHOWN]
            raise AnswerError(
                f"{self.place} is no CAMT.053 statement but {shown}", "order the camt.053 from the bank, or mend files"
            )

    def _type_of(self, element: Any) -> str | None:
        """The type that our schema gives the element where it stands, None if it names none; renamed if it does."""
        if not self.types:
            element.tag = "Document"
            return "Document"
        parent = self.types[-1]
        namespace, _, name = str(element.tag).removeprefix("{").rpartition("}")
        found = _children().get(parent, {}).get(name) if parent is not None and namespace == self.namespace else None
        if found is not None:
            element.tag = name
        return found


def _pruned(element: Any, type_name: str) -> Any:
    """Take away the elements and attributes that our schema doesn't name; those that it does were renamed."""
    named = _children().get(type_name)
    for name in list(element.attrib):
        if name != "Ccy":
            del element.attrib[name]
    for child in list(element):
        if named is None or child.tag not in named:
            element.remove(child)
        else:
            _pruned(child, named[child.tag])
    return element


@cache
def _children() -> Mapping[str, Mapping[str, str]]:
    """By type of our schema: the elements that it names, and their types."""
    schema = require("lxml.etree", EXTRA).parse(str(_SCHEMA)).getroot()
    return {
        type_.get("name"): {element.get("name"): element.get("type") for element in type_.iter(f"{_XS}element")}
        for type_ in schema.iterfind(f"{_XS}complexType")
    }


@cache
def _schema() -> Any:
    etree = require("lxml.etree", EXTRA)
    return etree.XMLSchema(etree.parse(str(_SCHEMA)))


def _checked(document: Any, place: str) -> Any:
    schema = _schema()
    if not document.findall("BkToCstmrStmt/Stmt"):
        raise EmptyAnswerError(f"{place} holds no statement, which counts as missing", "get it from the bank again")
    if not schema.validate(document):
        first = schema.error_log[0]
        what = " ".join(first.message.split())[:_SHOWN]
        raise AnswerError(f"{place}, line {first.line}: not as a CAMT.053 is ({what})", "get it from the bank again")
    return document


# Meaning


def _page(statement: Any, file: str, message_made_at: str | None) -> Page:
    identifier = " ".join(statement.findtext("Id").split())
    number = statement.findtext("StmtPgntn/PgNb")
    place = f"{file}, statement {identifier}" + (f" page {int(number)}" if number is not None else "")
    balances = _Balances(statement, place)
    account = _account(statement.find("Acct"), place, balances.currency)
    booked: list[Entry] = []
    left_out = 0
    elements = statement.findall("Ntry")
    for element in elements:
        if _is_booked(element, place):
            booked.extend(_entries(element, place, account, balances.currency))
        else:
            left_out += 1
    _require_count(statement, place, len(elements), len(elements) - left_out)
    return Page(
        place,
        identifier,
        account,
        balances.currency,
        int(number) if number is not None else None,
        balances.begins,
        balances.ends,
        balances.opening,
        balances.closing,
        balances.closes_on,
        _moment(statement.findtext("CreDtTm") or message_made_at, place),
        tuple(booked),
        left_out,
    )


class _Balances:
    """A page's opening and closing balance among all that it states."""

    def __init__(self, statement: Any, place: str) -> None:
        self.place = place
        self.currency = statement.find("Bal/Amt").get("Ccy")
        booked: dict[str, list[Any]] = {}
        for balance in statement.iterfind("Bal"):
            self._require_currency(balance.find("Amt"))
            code = balance.findtext("Tp/CdOrPrtry/Cd") or ""
            if (balance.findtext("Tp/SubTp/Cd") or "") == "INTM":
                code = f"{code} intermediate"
            booked.setdefault(code, []).append(balance)
        self.begins, opening = self._side(booked, _OPENING)
        self.ends, closing = self._side(booked, _CLOSING)
        between = booked.get(_INTERMEDIATE, [])
        if opening is None and between:
            opening, between = between[0], between[1:]
        if closing is None and between:
            closing = between[-1]
        self.opening = None if opening is None else _signed(opening)
        self.closing = None if closing is None else _signed(closing)
        day = closing if closing is not None else statement.findall("Bal")[-1]
        self.closes_on = _day(day.find("Dt"), place)

    def _side(self, booked: Mapping[str, list[Any]], codes: tuple[str, ...]) -> tuple[bool, Any]:
        """Whether the statement's own balance of that side is there, and that or the intermediate one."""
        own = [balance for code in codes for balance in booked.get(code, [])]
        if len({_signed(balance) for balance in own}) > 1:
            raise AnswerError(
                f"{self.place} states two different {' or '.join(codes)} balances", "get it from the bank again"
            )
        if own:
            return True, own[0]
        return False, next((b for code in codes for b in booked.get(f"{code} intermediate", [])), None)

    def _require_currency(self, amount: Any) -> None:
        if amount.get("Ccy") != self.currency:
            raise AnswerError(
                f"{self.place} states balances in {self.currency} and in {amount.get('Ccy')}",
                "get a statement for each currency from the bank",
            )


def _account(element: Any, place: str, currency: str) -> str:
    iban, other = element.findtext("Id/IBAN"), element.findtext("Id/Othr/Id")
    account = normalised_account(iban or other or "")
    if iban is not None and not is_iban(account):
        raise AnswerError(f"{place} is of {account}, whose check digits are wrong for an IBAN", "ask the bank")
    if not account:
        raise AnswerError(f"{place} doesn't say which account it is of", "get it from the bank again")
    if element.findtext("Ccy") not in (None, currency):
        raise AnswerError(
            f"{place} is of an account in {element.findtext('Ccy')} and states balances in {currency}", "ask the bank"
        )
    return account


def _is_booked(entry: Any, place: str) -> bool:
    status = entry.find("Sts")
    code = (status.findtext("Cd") or status.findtext("Prtry") or status.text or "").strip()
    if code != _BOOKED and code not in _NOT_BOOKED:
        raise AnswerError(
            f"{place}, line {entry.sourceline}: no entry has the status {code[:20]!r}", "get it from the bank again"
        )
    return code == _BOOKED


def _require_count(statement: Any, place: str, entries: int, booked: int) -> None:
    promised = statement.findtext("TxsSummry/TtlNtries/NbOfNtries")
    if promised is not None and int(promised) not in (entries, booked):
        raise IncompleteError(
            f"{place} says that it has {int(promised)} entries and has {entries}", "get the whole statement again"
        )


def _entries(entry: Any, place: str, account: str, currency: str) -> Iterator[Entry]:
    """The movements of one entry: those that it bundles, if the bank lists each with its amount; else itself."""
    amount, details = _amount_in(entry.find("Amt"), place, currency), entry.findall("NtryDtls/TxDtls")
    signed = -amount if entry.findtext("CdtDbtInd") == "DBIT" else amount
    day = entry.find("BookgDt") if entry.find("BookgDt") is not None else entry.find("ValDt")
    if day is None:
        raise AnswerError(f"{place}, line {entry.sourceline}: an entry without a date", "get it from the bank again")
    parts = [_part(detail, entry, currency) for detail in details]
    listed = [part for part in parts if part is not None]
    promised = sum(int(count.text) for count in entry.iterfind("NtryDtls/Btch/NbOfTxs"))
    if len(details) < 2 or len(listed) < len(details) or promised > len(details):
        yield Entry(
            signed, _day(day, place), _references(details, entry), *_other_side(details, entry, signed, account)
        )
        return
    total = Decimal(0)
    for part in listed:
        total = EXACT.add(total, part)
    if total != signed:
        raise AnswerError(
            f"{place}, line {entry.sourceline}: an entry of {plain_text(signed)} {currency} bundles payments of"
            f" {plain_text(total)}",
            "get it from the bank again",
        )
    for detail, part in zip(details, listed, strict=True):
        yield Entry(part, _day(day, place), _references([detail], entry), *_other_side([detail], entry, part, account))


def _part(detail: Any, entry: Any, currency: str) -> Decimal | None:
    """The signed amount of a bundled payment in the account's currency, None if the bank doesn't say it."""
    amounts = (detail.find("Amt"), detail.find("AmtDtls/TxAmt/Amt"))
    own = next((amount for amount in amounts if amount is not None and amount.get("Ccy") == currency), None)
    if own is None:
        return None
    side = detail.findtext("CdtDbtInd") or entry.findtext("CdtDbtInd")
    return -Decimal(own.text) if side == "DBIT" else Decimal(own.text)


def _references(details: list[Any], entry: Any) -> tuple[tuple[str, str], ...]:
    """An entry's references; those of the payments below it only where there is but one to tell."""
    given = []
    for kind, path in ((ACCOUNT_SERVICER_REFERENCE, "Refs/AcctSvcrRef"), (END_TO_END_ID, "Refs/EndToEndId")):
        texts = {detail.findtext(path) for detail in details}
        if len(texts) == 1:
            given.append((kind, texts.pop()))
    given.append((ACCOUNT_SERVICER_REFERENCE, entry.findtext("AcctSvcrRef")))
    given.append((ENTRY_REFERENCE, entry.findtext("NtryRef")))
    return references_of(given)


def _other_side(details: list[Any], entry: Any, amount: Decimal, own: str) -> tuple[str | None, tuple[str, ...]]:
    """The counterparty's account, where there is but one, and the codes of what the payment was for."""
    accounts = {_counterparty(detail, amount, own) for detail in details}
    codes = [code for element in (*details[:1], entry) for code in _codes(element.find("BkTxCd"))]
    return (accounts.pop() if len(accounts) == 1 else None), tuple(dict.fromkeys(codes))


def _counterparty(detail: Any, amount: Decimal, own: str) -> str | None:
    """Who paid if money came in, who was paid if it left; a reversal keeps the roles, so never the account itself."""
    sides = ("DbtrAcct", "CdtrAcct") if amount > 0 else ("CdtrAcct", "DbtrAcct")
    found = [detail.find(f"RltdPties/{side}/Id") for side in sides]
    numbers = [account.findtext("IBAN") or account.findtext("Othr/Id") for account in found if account is not None]
    return next((account for account in map(normalised_account, numbers) if account not in ("", own)), None)


def _codes(purpose: Any) -> Iterator[str]:
    if purpose is None:
        return
    if own := purpose.findtext("Prtry/Cd"):
        yield own.strip()
    if purpose.find("Domn") is not None:
        parts = [purpose.findtext(f"Domn/{path}").strip() for path in ("Cd", "Fmly/Cd", "Fmly/SubFmlyCd")]
        yield "-".join(parts)
        yield parts[2]
        yield "-".join(parts[:2])


def _amount_in(amount: Any, place: str, currency: str) -> Decimal:
    if amount.get("Ccy") != currency:
        raise AnswerError(
            f"{place}, line {amount.sourceline}: an entry in {amount.get('Ccy')} on an account in {currency}",
            "get it from the bank again",
        )
    return Decimal(amount.text)


def _signed(balance: Any) -> Decimal:
    amount = Decimal(balance.findtext("Amt"))
    return -amount if balance.findtext("CdtDbtInd") == "DBIT" and amount else amount


def _day(choice: Any, place: str) -> date:
    """The day as the bank writes it, whatever time or zone stands behind it."""
    text = (choice.findtext("Dt") or choice.findtext("DtTm")).strip()
    try:
        return date.fromisoformat(text[:10])
    except ValueError as error:
        raise AnswerError(f"{place}: {text[:30]!r} is no day", "get it from the bank again") from error


def _moment(text: str | None, place: str) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text.strip()[:19])
    except ValueError as error:
        raise AnswerError(f"{place}: {text[:40]!r} is no time", "get it from the bank again") from error
