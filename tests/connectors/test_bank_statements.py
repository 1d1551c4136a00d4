"""Bank statements: CAMT.053 and MT940 files that the tests write, good and broken."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from orchestration.connectors.bank_statements import connector as module
from orchestration.connectors.bank_statements.accounts import is_iban, normalised_account, wallets_by_account
from orchestration.connectors.bank_statements.camt053 import camt_pages
from orchestration.connectors.bank_statements.chain import ClosedDays
from orchestration.connectors.bank_statements.connector import BankStatementsConfiguration, BankStatementsConnector
from orchestration.connectors.bank_statements.mt940 import mt940_pages
from orchestration.connectors.bank_statements.statements import Statement, whole_statements
from orchestration.connectors.base import Completed, Json, Order, Services
from orchestration.connectors.errors import AnswerError, EmptyAnswerError, IncompleteError, LimitError, SourceError
from orchestration.connectors.limits import Limits
from orchestration.connectors.register import RegisteredWallet
from orchestration.errors import ConfigurationError
from tests.connectors.bank_files import (
    CUSTOMER,
    OPERATING,
    RESERVE,
    Line,
    camt,
    camt_balance,
    camt_statement,
    iban,
    mt940,
)
from tests.connectors.conformance import Case, ConformanceTests, Fault

DAY = date(2026, 3, 4)  # a Wednesday


def wallet(wallet_id: str, address: str) -> dict[str, str | None]:
    return {
        "wallet_id": wallet_id,
        "network": "bank",
        "address": address,
        "owner_entity_id": "operator",
        "purpose": "customer",
        "custody": "bank",
        "encumbered_pct": "0",
        "ownership_proof": "bank_confirmation",
        "proven_at": "2026-01-01",
        "valid_from": "2026-01-01",
        "recorded_at": "2026-01-01",
    }


WALLETS = [wallet("operating", OPERATING), wallet("reserve", f"{RESERVE[:4]} {RESERVE[4:8]} {RESERVE[8:]}")]


def transfer(identifier: str, wallet_id: str, amount: str, kind: str, **others: str) -> dict[str, str | None]:
    return {
        "transfer_id": identifier,
        "wallet_id": wallet_id,
        "asset": "EUR",
        "amount": amount,
        "transfer_type": kind,
        "block_time": f"{DAY} 12:00:00",
        "recorded_at": f"{DAY} 23:59:59",
        **others,
    }


def balance(wallet_id: str, amount: str, asset: str = "EUR", as_of: str = f"{DAY} 23:59:59") -> dict[str, str | None]:
    return {"wallet_id": wallet_id, "asset": asset, "balance": amount, "as_of": as_of}


class FilesCase:
    """A case on a folder: honest files, and faults that put others in their place."""

    def __init__(self, folder: Path, files: dict[str, bytes], **section: Any) -> None:
        self.folder, self.files = folder, files
        self.section = {
            "kind": "bank_statements",
            "folder": str(folder),
            "files": ["*.*"],
            "limits": {"max_megabytes": 2, "max_nesting": 20},
            **section,
        }
        self.heal()

    def heal(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        for name, content in self.files.items():
            (self.folder / name).write_bytes(content)

    def instead(self, name: str, content: bytes) -> Callable[[], object]:
        return lambda: (self.folder / name).write_bytes(content)

    def without(self, *names: str) -> Callable[[], object]:
        return lambda: [(self.folder / name).unlink() for name in names]

    def faults(self, last: str, half: bytes) -> dict[str, Fault]:
        return {
            "down": Fault(lambda: shutil.rmtree(self.folder), "isn't there"),
            "midway": Fault(self.instead(last, half), ""),
            "empty": Fault(self.without(*self.files), "counts as missing"),
            "rubbish": Fault(self.instead(last, b"Dear customer,\nyour statement."), "neither CAMT.053 nor MT940"),
            "oversized": Fault(self.instead(last, b"<a>" + b" " * 3_000_000 + b"</a>"), "larger than 2 MB"),
        }


class TestCamt053(ConformanceTests):
    @pytest.fixture
    def case(self, tmp_path: Path) -> Case:
        lines = [
            Line("1250.5", reference="R1", end_to_end="E1", counterparty=CUSTOMER),
            Line("-200.00", reference="R2", counterparty=RESERVE),
            Line("-0.75", reference="R3", code="PMNT-MDOP-CHRG"),
            Line("99", status="PDNG"),
        ]
        operating = camt(camt_statement(OPERATING, "100.00", "1149.75", lines))
        received = [Line("200", reference="R2", counterparty=OPERATING)]
        reserve = camt(camt_statement(RESERVE, "-50", "150", received, version=8), version=8)
        files = FilesCase(tmp_path / "statements", {"a.xml": operating, "b.xml": reserve})
        broken = camt(camt_statement(RESERVE, "-50", "151", received))
        gone = camt(camt_statement(iban("DE", "000000000000000001"), "0", "0"))
        return Case(
            section=files.section,
            day=DAY,
            is_http=False,
            wallets=WALLETS,
            heal=files.heal,
            expected={
                "wallet_balances": [balance("operating", "1149.75"), balance("reserve", "150")],
                "wallet_transfers": [
                    transfer(f"bank:{OPERATING}:R1", "operating", "1250.5", "deposit", counterparty_address=CUSTOMER),
                    transfer(
                        f"bank:{OPERATING}:R2",
                        "operating",
                        "-200",
                        "internal",
                        counterparty_address=RESERVE,
                        counterparty_wallet_id="reserve",
                    ),
                    transfer(f"bank:{OPERATING}:R3", "operating", "-0.75", "network_fee"),
                    transfer(
                        f"bank:{RESERVE}:R2",
                        "reserve",
                        "200",
                        "internal",
                        counterparty_address=OPERATING,
                        counterparty_wallet_id="operating",
                    ),
                ],
            },
            faults={
                **files.faults("b.xml", reserve[:-200]),
                "midway": Fault(files.instead("b.xml", reserve[:-200]), "b.xml is no whole XML"),
                "one account without a statement": Fault(files.without("b.xml"), "counts as missing"),
                "a difference": Fault(files.instead("b.xml", broken), "b.xml, statement 41: opening -50"),
                "an unknown account": Fault(files.instead("c.xml", gone), "isn't registered as a wallet"),
                "nested": Fault(files.instead("c.xml", b"<a>" * 600_000), "is no CAMT.053 statement but a"),
                "bomb": Fault(files.instead("c.xml", laughs()), "declares a document type or entities"),
            },
        )


def laughs(place: str = "<x>&l9;</x>") -> bytes:
    """Ten entities, each ten times the one before."""
    entities = "<!ENTITY l0 'ha'>" + "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))
    return camt(camt_statement(OPERATING, "0", "0", extra=place), doctype=f"<!DOCTYPE Document [{entities}]>")


RESERVE_STATEMENT = mt940(RESERVE, "-3.01", "-3.01", number="7")


class TestMt940(ConformanceTests):
    @pytest.fixture
    def case(self, tmp_path: Path) -> Case:
        first = [
            ":61:2603040304C1250,50NTRFE1//R1",
            f":86:166?00CREDIT?20EREF+E1?21SVWZ+deposit 77?31{CUSTOMER}?32JOHN DOE",
            ":61:2603040304D200,NTRFNONREF//R2",
        ]
        second = [
            ":61:2603040304RC250,5NTRFE1//R1",
            ":86:returned",
            ":61:260304D0,75NCHGNONREF",
            ":61:2603040304RD10,NTRFNONREF//R9",
        ]
        pages = mt940(OPERATING, "100", "1150.50", first, number="41/1", marks=("60F", "62M")) + mt940(
            OPERATING, "1150.50", "909.25", second, number="41/2", marks=("60M", "62F")
        )
        files = FilesCase(tmp_path / "statements", {"a.sta": pages.encode(), "b.sta": RESERVE_STATEMENT.encode()})
        only_first = pages[: pages.index(":20:", 5)]
        return Case(
            section=files.section,
            day=DAY,
            is_http=False,
            wallets=WALLETS,
            heal=files.heal,
            expected={
                "wallet_balances": [balance("operating", "909.25"), balance("reserve", "-3.01")],
                "wallet_transfers": [
                    transfer(f"bank:{OPERATING}:R1", "operating", "1250.5", "deposit", counterparty_address=CUSTOMER),
                    transfer(f"bank:{OPERATING}:R2", "operating", "-200", "withdrawal"),
                    transfer(f"bank:{OPERATING}:R1:2", "operating", "-250.5", "withdrawal"),
                    transfer(f"bank:{OPERATING}:{DAY}/41/4", "operating", "-0.75", "network_fee"),
                    transfer(f"bank:{OPERATING}:R9", "operating", "10", "deposit"),
                ],
            },
            faults={
                **files.faults("b.sta", b""),
                "midway": Fault(files.instead("b.sta", RESERVE_STATEMENT[:-40].encode()), "has no field 62"),
                "a page missing": Fault(files.instead("a.sta", only_first.encode()), "the next one is missing"),
                "nothing in it": Fault(files.instead("b.sta", b"  \n"), "is empty, which counts as missing"),
                "a difference": Fault(
                    files.instead("b.sta", mt940(RESERVE, "-3.01", "-3.02", number="7").encode()),
                    "-0.01 can't be explained",
                ),
            },
        )


# Accounts


def test_an_account_is_spelled_as_the_warehouse_spells_it() -> None:
    assert normalised_account(" iban de89 3704-0044.0532/0130 00 ") == "DE89370400440532013000"


@pytest.mark.parametrize("good", ["DE89370400440532013000", "GB82WEST12345698765432", "NO9386011117947", OPERATING])
def test_check_digits_of_an_iban(good: str) -> None:
    assert is_iban(good)
    other = good[:-1] + ("1" if good[-1] != "1" else "2")
    assert not is_iban(other)
    assert not is_iban(good[:10])


@pytest.mark.parametrize(
    ("wallets", "wanted", "says"),
    [
        ([("w", "DE00370400440532013000")], (), "wrong check digits"),
        ([("w", OPERATING)], ("123",), "account 123 isn't registered"),
    ],
)
def test_a_wrong_register_is_refused(wallets: list[tuple[str, str]], wanted: tuple[str, ...], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        wallets_by_account([RegisteredWallet(*each) for each in wallets], wanted)


def test_only_the_accounts_of_this_source_are_expected() -> None:
    registered = [RegisteredWallet("w", OPERATING), RegisteredWallet("v", "0042 / 17")]
    assert wallets_by_account(registered, ["0042-17"]) == {"004217": ("v",)}


# CAMT.053


def camt_statements(*statements: str, version: int = 2, **options: Any) -> list[Statement]:
    return list(whole_statements(camt_pages(camt(*statements, version=version, **options), "f.xml", Limits())))


@pytest.mark.parametrize("version", range(2, 14))
def test_every_version_of_the_standard_is_read(version: int) -> None:
    lines = [Line("1.50", reference="A"), Line("-0.25", status="PDNG")]
    (statement,) = camt_statements(camt_statement(OPERATING, "1", "2.50", lines, version=version), version=version)
    assert (statement.account, statement.currency, statement.opening, statement.closing) == (
        OPERATING,
        "EUR",
        Decimal(1),
        Decimal("2.50"),
    )
    assert [entry.amount for entry in statement.entries] == [Decimal("1.50")]
    assert statement.left_out == 1


def test_amounts_are_exact() -> None:
    lines = [Line("0.1")] * 10 + [Line("-9999999999999.99999")]
    (statement,) = camt_statements(camt_statement(OPERATING, "9999999999999.99999", "1", lines))
    assert statement.closing == 1


def test_what_the_schema_does_not_name_is_left_out() -> None:
    extra = "<Intrst><Tp><Cd>INDY</Cd></Tp></Intrst><TxsSummry><TtlNtries><Sum>7</Sum></TtlNtries></TxsSummry>"
    text = camt_statement(OPERATING, "0", "0", extra=extra).replace("<Stmt>", "<!-- hello --><Stmt><?pi?>")
    text = text.replace("<Acct>", "<Acct x='1'><z:Strange xmlns:z='urn:z'><Id>no</Id></z:Strange>")
    (statement,) = camt_statements(text)
    assert statement.closing == 0


BATCH = "<NtryDtls><Btch><NbOfTxs>{count}</NbOfTxs></Btch>{parts}</NtryDtls>"
PART = "<TxDtls><Refs><AcctSvcrRef>{ref}</AcctSvcrRef></Refs><Amt Ccy='{ccy}'>{amount}</Amt>{side}</TxDtls>"


def part(reference: str, amount: str, currency: str = "EUR", side: str = "") -> str:
    written = f"<CdtDbtInd>{side}</CdtDbtInd>" if side else ""
    return PART.format(ref=reference, amount=amount, ccy=currency, side=written)


@pytest.mark.parametrize(
    ("parts", "count", "expected"),
    [
        ([("A", "6"), ("B", "4")], 2, ["6", "4"]),
        ([("A", "11"), ("B", "1", "EUR", "DBIT")], 2, ["11", "-1"]),
        ([("A", "6"), ("B", "4")], 3, ["10"]),
        ([("A", "6"), ("B", "4", "USD")], 2, ["10"]),
        ([("A", "9.5")], 1, ["10"]),
        ([], 5, ["10"]),
    ],
)
def test_a_batch_is_taken_apart_where_the_bank_lists_all_of_it(
    parts: list[tuple[str, ...]], count: int, expected: list[str]
) -> None:
    details = BATCH.format(count=count, parts="".join(part(*each) for each in parts))
    (statement,) = camt_statements(camt_statement(OPERATING, "0", "10", [Line("10", details=details)]))
    assert [entry.amount for entry in statement.entries] == [Decimal(amount) for amount in expected]
    if len(expected) > 1:
        assert [entry.reference("account_servicer_reference") for entry in statement.entries] == ["A", "B"]


def test_a_batch_of_the_second_version_has_its_amounts_elsewhere() -> None:
    parts = "".join(
        f"<TxDtls><AmtDtls><TxAmt><Amt Ccy='EUR'>{amount}</Amt></TxAmt></AmtDtls></TxDtls>" for amount in ("1", "2")
    )
    line = Line("-3", details=f"<NtryDtls>{parts}</NtryDtls>", reference="SAME")
    (statement,) = camt_statements(camt_statement(OPERATING, "0", "-3", [line]))
    assert [entry.amount for entry in statement.entries] == [-1, -2]


def test_a_reversal_counts_by_its_side_and_never_names_the_account_itself() -> None:
    party = (
        f"<DbtrAcct><Id><IBAN>{OPERATING}</IBAN></Id></DbtrAcct><CdtrAcct><Id><IBAN>{CUSTOMER}</IBAN></Id></CdtrAcct>"
    )
    line = Line("5", reversal=True, details=f"<NtryDtls><TxDtls><RltdPties>{party}</RltdPties></TxDtls></NtryDtls>")
    (statement,) = camt_statements(camt_statement(OPERATING, "0", "5", [line]))
    assert (statement.entries[0].amount, statement.entries[0].counterparty) == (5, CUSTOMER)


def page_of(number: int, last: str) -> str:
    return f"<StmtPgntn><PgNb>{number}</PgNb><LastPgInd>{last}</LastPgInd></StmtPgntn>"


def camt_in_pages(second: str = "5", numbers: tuple[int, int] = (1, 2)) -> list[str]:
    first = camt_balance("OPBD", "0", "2026-03-04") + camt_balance("ITBD", "5", "2026-03-04")
    last = camt_balance("ITBD", second, "2026-03-04") + camt_balance("CLBD", "7", "2026-03-04")
    return [
        camt_statement(OPERATING, "", "", [Line("5")], balances=first, page=page_of(numbers[0], "false")),
        camt_statement(OPERATING, "", "", [Line("2")], balances=last, page=page_of(numbers[1], "true")),
    ]


def test_pages_are_joined() -> None:
    (statement,) = camt_statements(*camt_in_pages())
    assert [entry.amount for entry in statement.entries] == [5, 2]
    assert (statement.opening, statement.closing) == (0, 7)


@pytest.mark.parametrize(
    ("pages", "says"),
    [
        (camt_in_pages()[:1], "page 1 isn't its statement's last page"),
        (camt_in_pages()[1:], "page 2 isn't its statement's first page"),
        (camt_in_pages(numbers=(1, 3)), "a page between them is missing"),
        (camt_in_pages(second="4"), "the page before closes with 5"),
        ([camt_in_pages()[0]] * 2, "page 1 isn't its statement's last page"),
    ],
)
def test_a_missing_page_is_refused(pages: list[str], says: str) -> None:
    with pytest.raises(AnswerError, match=says):
        camt_statements(*pages)


def test_intermediate_balances_may_be_marked_by_a_subtype() -> None:
    first = camt_balance("OPBD", "0", "2026-03-04") + camt_balance("CLBD", "5", "2026-03-04", between=True)
    last = camt_balance("OPBD", "5", "2026-03-04", between=True) + camt_balance("CLBD", "7", "2026-03-04")
    statements = camt_statements(
        camt_statement(OPERATING, "", "", [Line("5")], balances=first),
        camt_statement(OPERATING, "", "", [Line("2")], balances=last),
    )
    assert [statement.closing for statement in statements] == [7]


ONE = camt_statement(OPERATING, "0", "5", [Line("5")])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ONE.replace(" Ccy='EUR'>5<", ">5<"), "attribute 'Ccy' is required"),
        (ONE.replace("'EUR'>5<", "'EUR'>5e0<"), "Amt"),
        (ONE.replace("'EUR'>5<", "'EUR'>-5<"), "Amt"),
        (ONE.replace("'EUR'>5<", "'EUR'>5,00<"), "Amt"),
        (ONE.replace("'EUR'>5<", "'EUR'>NaN<"), "Amt"),
        (ONE.replace("CRDT", "CREDIT"), "CdtDbtInd"),
        (ONE.replace("<Dt>2026-03-04</Dt>", "<Dt>2026-02-30</Dt>"), "Dt"),
        (ONE.replace("<Id>41</Id>", "<Id> </Id>"), "Id"),
        (ONE.replace("<Id>41</Id>", ""), "Id"),
        (ONE.replace("OPBD", "OPAV"), "isn't its statement's first page"),
        (ONE.replace("<Sts>BOOK</Sts>", "<Sts>MAYBE</Sts>"), "no entry has the status 'MAYBE'"),
        (ONE.replace("<IBAN>DE", "<IBAN>FR"), "check digits are wrong"),
        (ONE.replace("<Ccy>EUR", "<Ccy>USD"), "account in USD"),
        (ONE.replace("<BookgDt><Dt>2026-03-04</Dt></BookgDt><ValDt><Dt>2026-03-04</Dt></ValDt>", ""), "without a date"),
        (ONE.replace("<BookgDt><Dt>2026-03-04", "<BookgDt><Dt>2026-03-05"), "booked on 2026-03-05"),
        (ONE.replace("2026-03-04T23:10:00", "2026-03-03T23:10:00"), "was made on 2026-03-03, before"),
        (camt_statement(OPERATING, "0", "5", [Line("5", currency="USD")]), "an entry in USD on an account in EUR"),
        (camt_statement(OPERATING, "0", "6", [Line("5")]), "opening 0 and its entries make 5 EUR.*6: 1 can't be"),
        (camt_statement(OPERATING, "0", "0.00001"), "0.00001 can't be explained"),
        (
            camt_statement(
                OPERATING,
                "0",
                "5",
                [Line("5", details=BATCH.format(count=2, parts=part("A", "1") + part("B", "3")))],
            ),
            "bundles payments of 4",
        ),
        (
            ONE.replace("<Ntry>", "<TxsSummry><TtlNtries><NbOfNtries>2</NbOfNtries></TtlNtries></TxsSummry><Ntry>", 1),
            "says that it has 2 entries and has 1",
        ),
        (
            camt_statement(
                OPERATING,
                "",
                "",
                balances=camt_balance("PRCD", "1", "2026-03-03")
                + camt_balance("OPBD", "2", "2026-03-04")
                + camt_balance("CLBD", "2", "2026-03-04"),
            ),
            "two different OPBD or PRCD balances",
        ),
        (
            camt_statement(
                OPERATING,
                "",
                "",
                balances=camt_balance("OPBD", "2", "2026-03-04") + camt_balance("CLBD", "2", "2026-03-04", "USD"),
            ),
            "balances in EUR and in USD",
        ),
    ],
)
def test_a_broken_statement_is_refused(text: str, says: str) -> None:
    with pytest.raises(AnswerError, match=says):
        camt_statements(text)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (laughs(), "declares a document type"),
        (laughs("<x a='&l9;'/>"), "document type|amplification|no whole XML"),
        (
            camt(ONE, doctype="<!DOCTYPE Document [<!ENTITY e SYSTEM 'file:///etc/hostname'>]>").replace(
                b">thanks<", b">&e;<"
            ),
            "declares a document type",
        ),
        (camt(ONE, doctype="<!DOCTYPE Document SYSTEM 'http://127.0.0.1:9/x.dtd'>"), "declares a document type"),
        (camt(ONE).replace(b"camt.053", b"camt.052"), "is no CAMT.053 statement but urn"),
        (camt(ONE).replace(b"053.001.02", b"053.001.01"), "is no CAMT.053 statement but urn"),
        (camt(ONE).replace(b"Document", b"Dokument"), "is no CAMT.053 statement"),
        (camt(), "holds no statement"),
        (camt(ONE)[:-30], "is no whole XML"),
        (camt(ONE) + b"<x/>", "is no whole XML"),
        (camt(ONE.replace("<Acct>", f"<Acct>{'<a>' * 70}{'</a>' * 70}")), "nested deeper than 64"),
    ],
)
def test_a_hostile_or_foreign_file_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(AnswerError, match=says):
        camt_pages(content, "f.xml", Limits())


def test_a_document_a_million_levels_deep_is_refused() -> None:
    with pytest.raises(LimitError, match="larger or deeper"):
        camt_pages(camt("<Stmt>" + "<a>" * 1_000_000), "f.xml", Limits())


# MT940


def mt_statements(text: str | bytes) -> list[Statement]:
    content = text if isinstance(text, bytes) else text.encode()
    return list(whole_statements(mt940_pages(content, "f.sta")))


def test_the_marks_are_signed_right() -> None:
    lines = [
        ":61:260304C1,NTRFNONREF",
        ":61:260304D2,NTRFNONREF",
        ":61:260304RC4,NTRFNONREF",
        ":61:260304RD8,NTRFNONREF",
    ]
    (statement,) = mt_statements(mt940(OPERATING, "0", "3", lines))
    assert [entry.amount for entry in statement.entries] == [1, -2, -4, 8]


def test_fields_of_banks_own_kind_are_read() -> None:
    lines = [
        ":61:2512310102CR1234567,89NTRFCUST-REF//BANK-REF",
        "/OCMT/EUR1,/",
        f":86:/EREF/E-1//IBAN/{CUSTOMER}/NAME/J/",
        ":NS:01whatever",
        ":61:260102D0,5NCHG",
        ":86:charges of the month of",
        "December and more",
    ]
    text = mt940(f"{OPERATING}EUR", "0", "1234567.39", lines, day="260102").replace("-\r\n", "")
    text = f"{{1:F01X}}{{2:O940}}{{4:\r\n{text}:64:C260102EUR0,\r\n:86:this is about the statement\r\n-}}"
    (statement,) = mt_statements(text)
    first, second = statement.entries
    assert statement.account == OPERATING
    assert first.booked_on == second.booked_on == date(2026, 1, 2)
    assert dict(first.references) == {
        "account_servicer_reference": "BANK-REF",
        "end_to_end_id": "E-1",
        "entry_reference": "CUST-REF",
    }
    assert second.codes == ("NCHG", "CHG")


def test_text_that_is_not_utf_8_is_read_as_latin_1() -> None:
    (statement,) = mt_statements(
        mt940(OPERATING, "0", "1", [":61:260304C1,NTRFNONREF", ":86:M\u00fcller"]).encode("latin-1")
    )
    assert statement.closing == 1


GOOD = mt940(OPERATING, "0", "5", [":61:2603040304C5,NTRFNONREF//R", ":86:x"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace("C5,", "C5.00"), "field 61 isn't"),
        (GOOD.replace("C5,", "C1234567890123456,"), "field 61 isn't"),
        (GOOD.replace("C5,NTRFNONREF", "C5,"), "field 61 isn't"),
        (GOOD.replace(":61:2603040304C", ":61:2602300304C"), "can't be read"),
        (GOOD.replace(":61:2603040304C", ":61:2603040230C"), "can't be read"),
        (GOOD.replace("C5,N", "X5,N"), "field 61 isn't"),
        (GOOD.replace("60F:C260304", "60F:C260231"), "field 60F isn't"),
        (GOOD.replace("60F:C", "60F:"), "field 60F isn't"),
        (GOOD.replace("62F:C260304EUR5", "62F:C260304EUR12345678901234567"), "field 62F isn't"),
        (GOOD.replace("62F:C260304EUR5", "62F:C260304EUR6"), "1 can't be explained"),
        (GOOD.replace("62F:C260304EUR5", "62F:C260304USD5"), "closes in USD"),
        (GOOD.replace(":62F:", ":62F:C260304EUR5,\r\n:62F:"), "comes twice"),
        (GOOD.replace(":60F:", ":60M:"), "isn't its statement's first page"),
        (GOOD.replace(":62F:", ":62M:"), "isn't its statement's last page"),
        (GOOD.replace(":28C:", ":99Z:"), "no field 99Z"),
        (GOOD.replace(":28C:41/1\r\n", ""), "has no field 28"),
        (GOOD.replace(":28C:41/1", ":28C:A"), "field 28C isn't"),
        (GOOD.replace(f":25:{OPERATING}", ":25:DE11370400440532013000"), "wrong for an IBAN"),
        (GOOD.replace(f":25:{OPERATING}", ":25:/"), "which account"),
        (GOOD.replace(":61:", "hello\r\n:61:"), "belongs to no field"),
        (GOOD.replace(":20:STARTUMSE\r\n", ""), "doesn't begin with field 20"),
        (GOOD.replace(":25:", ":86:y\r\n:25:"), "explains no entry"),
        (GOOD.replace(":60F:", ":61:260304C5,NTRFNONREF\r\n:60F:"), "outside of opening and closing"),
        ("", "holds no statement"),
    ],
)
def test_a_field_that_is_not_as_it_should_be_is_refused(text: str, says: str) -> None:
    with pytest.raises(AnswerError, match=says):
        mt_statements(text)


# From day to day


class Bank:
    """A folder of statements and a connector on it that is pulled day after day."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.landing = folder / "statements", folder / "landing"
        self.folder.mkdir()
        self.wallets = [("operating", OPERATING)]
        self.section: dict[str, Any] = {"files": ["*"]}
        self.position: Json = None
        self.heard: list[str] = []
        self.rows: dict[str, list[dict[str, Any]]] = {"wallet_balances": [], "wallet_transfers": []}
        monkeypatch.setattr(
            module, "registered_wallets", lambda *_: tuple(RegisteredWallet(*each) for each in self.wallets)
        )

    def write(self, name: str, *statements: str) -> None:
        content = "".join(statements).encode() if statements[0].startswith(":20:") else camt(*statements)
        (self.folder / name).write_bytes(content)

    def pull(self, day: date) -> dict[str, list[dict[str, Any]]]:
        section = {"kind": "bank_statements", "folder": str(self.folder), **self.section}
        configuration = BankStatementsConfiguration.model_validate(section)
        services = Services(self.landing, report=self.heard.append)
        rows: dict[str, list[dict[str, Any]]] = {}
        for answer in BankStatementsConnector("bank", configuration, services).pull(Order(day, self.position)):
            if isinstance(answer, Completed):
                position = answer.position
            else:
                rows[answer.table] = answer.rows.to_pylist()
                self.rows[answer.table] += rows[answer.table]
                place = self.landing / answer.table / f"date={day}" / "bank.parquet"
                place.parent.mkdir(parents=True, exist_ok=True)
                pq.write_table(answer.rows, place)
        self.position = position
        return rows

    def balances(self) -> list[tuple[str, str]]:
        return [(row["as_of"][:10], row["balance"]) for row in self.rows["wallet_balances"]]

    def assert_rolls_forward(self) -> None:
        """Between two balances of an asset lie exactly the transfers that make the difference."""
        for asset in {row["asset"] for row in self.rows["wallet_balances"]}:
            given = sorted(
                (row["as_of"], Decimal(row["balance"])) for row in self.rows["wallet_balances"] if row["asset"] == asset
            )
            for (since, before), (until, after) in pairwise(given):
                moved = [
                    Decimal(row["amount"])
                    for row in self.rows["wallet_transfers"]
                    if row["asset"] == asset and since < row["block_time"] <= until
                ]
                assert after - before == sum(moved), (since, until)


@pytest.fixture
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bank:
    return Bank(tmp_path, monkeypatch)


def day_statement(day: str, opening: str, closing: str, *lines: Line, **options: Any) -> str:
    booked = [line if line.day != "2026-03-04" else replace(line, day=day) for line in lines]
    return camt_statement(OPERATING, opening, closing, booked, **{"day": day, "identifier": f"S{day}", **options})


def test_statements_follow_one_another(bank: Bank) -> None:
    bank.write("1", day_statement("2026-03-04", "0", "5", Line("5")))
    bank.write("2", day_statement("2026-03-05", "5", "-2", Line("-7")))
    bank.pull(DAY)
    rows = bank.pull(DAY + timedelta(1))
    assert [row["amount"] for row in rows["wallet_transfers"]] == ["-7"]
    assert bank.balances() == [("2026-03-04", "5"), ("2026-03-05", "-2")]
    assert all(row["recorded_at"] < str(DAY + timedelta(2)) for row in bank.rows["wallet_transfers"])
    bank.assert_rolls_forward()


def test_a_file_of_many_days_is_taken_day_by_day(bank: Bank) -> None:
    days = [day_statement(f"2026-03-0{n}", str(n), str(n + 1), Line("1")) for n in range(4, 8)]
    bank.write("week.xml", *days)
    for n in range(4):
        rows = bank.pull(DAY + timedelta(n))
        assert len(rows["wallet_transfers"]) == 1
    assert [amount for _, amount in bank.balances()] == ["5", "6", "7", "8"]
    bank.assert_rolls_forward()
    assert "postponed" not in bank.position["files"]["*"]


def test_a_broken_chain_is_refused(bank: Bank) -> None:
    bank.write("1", day_statement("2026-03-04", "0", "5", Line("5")))
    bank.pull(DAY)
    bank.write("2", day_statement("2026-03-05", "6", "7", Line("1")))
    with pytest.raises(
        IncompleteError, match="opens with 6 EUR, but the statement of 2026-03-04 closed with 5"
    ) as refused:
        bank.pull(DAY + timedelta(1))
    assert "a statement of" in str(refused.value)
    assert "is missing" in str(refused.value)


def test_a_statement_that_comes_again_is_passed_over(bank: Bank) -> None:
    statement = day_statement("2026-03-04", "0", "5", Line("5"))
    bank.write("1", statement)
    bank.pull(DAY)
    bank.write("copy", statement.replace("T23:10:00", "T23:50:00"))
    bank.write("2", day_statement("2026-03-05", "5", "5"))
    assert bank.pull(DAY + timedelta(1))["wallet_transfers"] == []
    assert any("came before and is passed over" in heard for heard in bank.heard)


@pytest.mark.parametrize("others", [{"identifier": "S2026-03-04"}, {"identifier": "T"}])
def test_a_statement_that_was_changed_is_refused(bank: Bank, others: dict[str, str]) -> None:
    bank.write("1", day_statement("2026-03-04", "0", "5", Line("5")))
    bank.pull(DAY)
    bank.write("1", day_statement("2026-03-04", "0", "6", Line("6"), **others))
    bank.write("2", day_statement("2026-03-05", "5", "5"))
    with pytest.raises(AnswerError, match=r"came before with other content|is missing, or one was changed"):
        bank.pull(DAY + timedelta(1))


def test_two_statements_of_one_name_and_day_in_one_pull_are_refused(bank: Bank) -> None:
    bank.write("1", day_statement("2026-03-04", "0", "5", Line("5")))
    bank.write("2", day_statement("2026-03-04", "0", "6", Line("6")))
    with pytest.raises(AnswerError, match="came before with other content"):
        bank.pull(DAY)


def test_a_day_without_a_statement_is_refused(bank: Bank) -> None:
    bank.write("1", day_statement("2026-03-04", "0", "5", Line("5")))
    bank.pull(DAY)
    with pytest.raises(EmptyAnswerError, match="closes on 2026-03-05; the last one is of 2026-03-04, which counts"):
        bank.pull(DAY + timedelta(1))


def test_a_day_is_delivered_without_it_where_that_is_said_and_it_lands_late(bank: Bank) -> None:
    bank.section["days_without_statement"] = "leave_out"
    bank.write("1", day_statement("2026-03-04", "0", "5", Line("5")))
    bank.pull(DAY)
    assert bank.pull(DAY + timedelta(1)) == {"wallet_balances": [], "wallet_transfers": []}
    assert any("the day is delivered without it" in heard for heard in bank.heard)
    bank.write("3", day_statement("2026-03-06", "7", "8", Line("1")))
    with pytest.raises(IncompleteError, match="between 2026-03-04 and 2026-03-06 is missing"):
        bank.pull(DAY + timedelta(2))
    bank.write("2", day_statement("2026-03-05", "5", "7", Line("2")))
    bank.pull(DAY + timedelta(2))
    assert bank.balances() == [("2026-03-04", "5"), ("2026-03-05", "7"), ("2026-03-06", "8")]
    bank.assert_rolls_forward()
    assert any("of 2026-03-05 comes late" in heard for heard in bank.heard)


def test_the_balance_stands_on_days_on_which_the_bank_does_not_book(bank: Bank) -> None:
    bank.section["closed_days"] = ["Saturday", "sunday", "2026-03-09"]
    bank.write("1", day_statement("2026-03-06", "0", "5", Line("5")))
    for number in range(4):
        bank.pull(date(2026, 3, 6) + timedelta(number))
    saturday = Line("2", day="2026-03-07")
    bank.write("2", day_statement("2026-03-10", "5", "8", saturday, Line("1")))
    bank.pull(date(2026, 3, 10))
    assert bank.balances() == [
        ("2026-03-06", "5"),
        ("2026-03-07", "5"),
        ("2026-03-08", "5"),
        ("2026-03-09", "5"),
        ("2026-03-10", "8"),
    ]
    bank.assert_rolls_forward()
    with pytest.raises(EmptyAnswerError, match="2026-03-11"):
        bank.pull(date(2026, 3, 11))


def test_no_balance_stands_over_a_missing_day(bank: Bank) -> None:
    bank.section |= {"closed_days": ["saturday"], "days_without_statement": "leave_out"}
    bank.write("1", day_statement("2026-03-05", "0", "5", Line("5")))
    for number in range(3):
        bank.pull(date(2026, 3, 5) + timedelta(number))
    assert bank.balances() == [("2026-03-05", "5")]


def test_a_statement_that_changes_a_day_that_stood_still_is_refused(bank: Bank) -> None:
    bank.section["closed_days"] = ["thursday"]
    bank.write("1", day_statement("2026-03-04", "0", "5", Line("5")))
    bank.pull(DAY)
    bank.pull(DAY + timedelta(1))
    bank.write("2", day_statement("2026-03-05", "5", "6", Line("1")))
    with pytest.raises(AnswerError, match="taken to stand still"):
        bank.pull(DAY + timedelta(2))


def test_several_statements_of_a_day_follow_one_another(bank: Bank) -> None:
    bank.write("b", day_statement("2026-03-04", "5", "7", Line("2"), identifier="42"))
    bank.write("a", day_statement("2026-03-04", "0", "5", Line("5"), identifier="41"))
    bank.pull(DAY)
    bank.write("c", day_statement("2026-03-04", "7", "3", Line("-4"), identifier="43"))
    bank.write("d", day_statement("2026-03-05", "3", "4", Line("1"), identifier="44"))
    bank.pull(DAY + timedelta(1))
    assert [amount for _, amount in bank.balances()] == ["5", "7", "3", "4"]
    assert all(row["as_of"] < "2026-03-06" for row in bank.rows["wallet_balances"])
    bank.assert_rolls_forward()


def test_statements_from_before_the_first_pull_only_open_the_chain(bank: Bank) -> None:
    bank.section["closed_days"] = ["wednesday"]
    bank.write("0", day_statement("2026-03-02", "0", "5", Line("5")))
    bank.write("1", day_statement("2026-03-03", "5", "6", Line("1")))
    bank.pull(DAY)
    assert bank.balances() == [("2026-03-04", "6")]
    assert bank.rows["wallet_transfers"] == []
    bank.write("old", day_statement("2026-03-01", "9", "0", Line("-9")))
    bank.write("2", day_statement("2026-03-05", "6", "6"))
    with pytest.raises(AnswerError, match="are delivered already without it"):
        bank.pull(DAY + timedelta(1))


def test_each_currency_of_an_account_is_followed_by_itself(bank: Bank) -> None:
    bank.section["assets"] = {"USD": "USD-bank"}
    dollars = {"currency": "USD", "identifier": "D"}
    bank.write("1", day_statement("2026-03-04", "0", "5", Line("5")))
    bank.write("2", day_statement("2026-03-04", "1", "2", Line("1", currency="USD"), **dollars))
    bank.pull(DAY)
    assert {(row["asset"], row["balance"]) for row in bank.rows["wallet_balances"]} == {("EUR", "5"), ("USD-bank", "2")}
    bank.write("3", day_statement("2026-03-05", "5", "5"))
    with pytest.raises(EmptyAnswerError, match="in USD closes on 2026-03-05"):
        bank.pull(DAY + timedelta(1))


def test_an_account_that_is_not_registered_is_told(bank: Bank) -> None:
    bank.write("1", day_statement("2026-03-04", "0", "5", Line("5")), camt_statement(RESERVE, "0", "0"))
    with pytest.raises(AnswerError, match=f"of account {RESERVE}, which isn't registered as a wallet"):
        bank.pull(DAY)
    bank.section["unregistered_accounts"] = "leave_out"
    bank.pull(DAY)
    assert any(f"account {RESERVE} isn't registered" in heard for heard in bank.heard)
    assert bank.balances() == [("2026-03-04", "5")]


def test_an_account_that_is_listed_under_two_wallets_is_left_to_the_checks(bank: Bank) -> None:
    bank.wallets.append(("again", f"{OPERATING[:4]} {OPERATING[4:]}"))
    bank.write("1", day_statement("2026-03-04", "0", "5", Line("5", reference="R")))
    rows = bank.pull(DAY)
    assert [row["wallet_id"] for row in rows["wallet_balances"]] == ["operating", "again"]
    name = f"bank:{OPERATING}:R"
    assert [row["transfer_id"] for row in rows["wallet_transfers"]] == [name, f"{name}:again"]


def test_formats_name_one_account_differently(bank: Bank) -> None:
    bank.section["aliases"] = {"37040044/0532013000": OPERATING}
    bank.write("1", mt940("37040044/0532013000", "0", "5", [":61:260304C5,NTRFNONREF//R"]))
    bank.pull(DAY)
    bank.write("2", day_statement("2026-03-05", "5", "5"))
    bank.pull(DAY + timedelta(1))
    assert len(bank.position["chains"]) == 1


def test_the_reference_that_the_ledger_uses_is_chosen(bank: Bank) -> None:
    bank.section |= {"transfer_id": "end_to_end_id", "transfer_id_form": "{reference}"}
    lines = [Line("5", end_to_end="E1"), Line("6", end_to_end="E1"), Line("7")]
    bank.write("1", day_statement("2026-03-04", "0", "18", *lines))
    bank.pull(DAY)
    bank.write("2", day_statement("2026-03-05", "18", "19", Line("1", end_to_end="E1")))
    bank.pull(DAY + timedelta(1))
    names = [row["transfer_id"] for row in bank.rows["wallet_transfers"]]
    assert names == ["E1", "E1:2", "2026-03-04/S2026-03-04/3", "E1:3"]


def test_types_follow_the_banks_codes_before_the_sign(bank: Bank) -> None:
    bank.section["transfer_types"] = {"PMNT-RCDT": "other", "PMNT-ICDT-ESCT": "internal"}
    lines = [Line("1"), Line("-1", code="PMNT-ICDT-ESCT"), Line("1", code="ACMT-MCOP-INTR"), Line("-1", code="A-B-C")]
    bank.write("1", day_statement("2026-03-04", "0", "0", *lines))
    bank.pull(DAY)
    types = [row["transfer_type"] for row in bank.rows["wallet_transfers"]]
    assert types == ["other", "internal", "other", "withdrawal"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"closed_days": ["caturday"]}, "neither a day of the week"),
        ({"closed_days": ["2026-02-30"]}, "neither a day of the week"),
        ({"transfer_id_form": "{account}"}, "must have {reference}"),
        ({"transfer_id_form": "{reference}{secret}"}, "no other name"),
        ({"transfer_types": {"X": "gift"}}, "transfer_types"),
        ({"files": []}, "files"),
        ({"files": ["../x"]}, "no pattern"),
    ],
)
def test_a_wrong_configuration_is_refused(changes: dict[str, Any], says: str) -> None:
    section = {"kind": "bank_statements", "folder": "/x", "files": ["*"], **changes}
    with pytest.raises(ValueError, match=says):
        BankStatementsConfiguration.model_validate(section)


def test_a_bank_books_on_some_day() -> None:
    with pytest.raises(ValueError, match="some day of the week"):
        ClosedDays(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"))


def test_an_old_statement_is_remembered_for_a_year(bank: Bank) -> None:
    bank.section["closed_days"] = [str(DAY + timedelta(number)) for number in range(1, 410)]
    bank.write("1", day_statement("2026-03-04", "0", "5", Line("5")))
    bank.pull(DAY)
    assert len(bank.position["chains"][f"{OPERATING} EUR"]["known"]) == 1
    bank.pull(DAY + timedelta(401))
    assert bank.position["chains"][f"{OPERATING} EUR"]["known"] == {}


def test_the_example_is_a_configuration_with_every_key() -> None:
    path = Path(module.__file__).parents[1] / "examples" / "bank_statements.yaml"
    (section,) = yaml.safe_load(path.read_text(encoding="utf-8")).values()
    assert set(section) == set(BankStatementsConfiguration.model_fields)
    BankStatementsConfiguration.model_validate(section)


def test_whatever_is_changed_in_a_file_it_is_refused_in_words_or_still_adds_up() -> None:
    details = BATCH.format(count=2, parts=part("A", "1") + part("B", "1"))
    lines = [Line("1.5", reference="R", counterparty=CUSTOMER, end_to_end="E"), Line("-2", details=details)]
    files = [camt(camt_statement(OPERATING, "10", "9.5", lines), *camt_in_pages()), GOOD.encode()]
    chance, refusals = random.Random(7), list[str]()
    for number in range(400):
        content = bytearray(files[number % 2])
        for _ in range(chance.choice((1, 1, 2))):
            start = chance.randrange(len(content))
            removed = chance.randrange(4)
            content[start : start + removed] = bytes(chance.choices(b"0123456789,.:<>/&CDR\n -", k=chance.randrange(4)))
        try:
            statements = list(whole_statements(module._pages(bytes(content), "f", Limits())))
        except SourceError as refusal:
            refusals.append(str(refusal))
            continue
        for statement in statements:
            assert statement.opening + sum(entry.amount for entry in statement.entries) == statement.closing
    assert 200 < len(refusals) < 400
    assert all(len(refusal.splitlines()) == 1 for refusal in refusals)
