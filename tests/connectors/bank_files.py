"""Statement files as banks write them, good and broken, for the tests of the connector that reads them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

CAMT = "urn:iso:std:iso:20022:tech:xsd:camt.053.001."


def iban(country: str, rest: str) -> str:
    """An account number with right check digits."""
    digits = int("".join(str(int(sign, 36)) for sign in f"{rest}{country}00"))
    return f"{country}{98 - digits % 97:02}{rest}"


OPERATING = iban("DE", "370400440532013000")
RESERVE = iban("GB", "NWBK60161331926819")
CUSTOMER = iban("FR", "20041010050500013M02606")


@dataclass(frozen=True)
class Line:
    """An entry: a signed amount without a sign of its own in the file."""

    amount: str
    day: str = "2026-03-04"
    reference: str = ""
    end_to_end: str = ""
    entry_reference: str = ""
    counterparty: str = ""
    code: str = "PMNT-RCDT-ESCT"
    status: str = "BOOK"
    currency: str = "EUR"
    reversal: bool = False
    details: str | None = None

    @property
    def side(self) -> str:
        return "DBIT" if self.amount.startswith("-") else "CRDT"

    @property
    def size(self) -> str:
        return self.amount.removeprefix("-")


def _account(number: str) -> str:
    if number[:2].isalpha() and number[2:4].isdigit():
        return f"<Id><IBAN>{number}</IBAN></Id>"
    return f"<Id><Othr><Id>{number}</Id></Othr></Id>"


def camt_balance(code: str, amount: str, day: str, currency: str = "EUR", between: bool = False) -> str:
    side, size = ("DBIT", amount[1:]) if amount.startswith("-") else ("CRDT", amount)
    sub = "<SubTp><Cd>INTM</Cd></SubTp>" if between else ""
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry>{sub}</Tp><Amt Ccy='{currency}'>{size}</Amt>"
        f"<CdtDbtInd>{side}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def camt_entry(line: Line, version: int = 2) -> str:
    domain, family, sub = line.code.split("-")
    status = f"<Sts><Cd>{line.status}</Cd></Sts>" if version >= 8 else f"<Sts>{line.status}</Sts>"
    party = "DbtrAcct" if line.side == "CRDT" else "CdtrAcct"
    other = f"<RltdPties><{party}>{_account(line.counterparty)}</{party}></RltdPties>" if line.counterparty else ""
    references = f"<Refs><EndToEndId>{line.end_to_end or 'NOTPROVIDED'}</EndToEndId></Refs>"
    details = line.details
    if details is None:
        details = f"<NtryDtls><TxDtls>{references}{other}<RmtInf><Ustrd>thanks</Ustrd></RmtInf></TxDtls></NtryDtls>"
    return (
        "<Ntry>"
        + (f"<NtryRef>{line.entry_reference}</NtryRef>" if line.entry_reference else "")
        + f"<Amt Ccy='{line.currency}'>{line.size}</Amt><CdtDbtInd>{line.side}</CdtDbtInd>"
        + ("<RvslInd>true</RvslInd>" if line.reversal else "")
        + f"{status}<BookgDt><Dt>{line.day}</Dt></BookgDt><ValDt><Dt>{line.day}</Dt></ValDt>"
        + (f"<AcctSvcrRef>{line.reference}</AcctSvcrRef>" if line.reference else "")
        + f"<BkTxCd><Domn><Cd>{domain}</Cd><Fmly><Cd>{family}</Cd><SubFmlyCd>{sub}</SubFmlyCd></Fmly></Domn></BkTxCd>"
        + f"{details}</Ntry>"
    )


def camt_statement(
    account: str,
    opening: str,
    closing: str,
    lines: Iterable[Line] = (),
    *,
    day: str = "2026-03-04",
    identifier: str = "41",
    currency: str = "EUR",
    version: int = 2,
    balances: str | None = None,
    page: str = "",
    made_at: str | None = None,
    extra: str = "",
) -> str:
    if balances is None:
        balances = camt_balance("OPBD", opening, day, currency) + camt_balance("CLBD", closing, day, currency)
    return (
        f"<Stmt><Id>{identifier}</Id>{page}<ElctrncSeqNb>1</ElctrncSeqNb>"
        f"<CreDtTm>{made_at or f'{day}T23:10:00'}</CreDtTm><Acct>{_account(account)}<Ccy>{currency}</Ccy></Acct>"
        f"{balances}{extra}{''.join(camt_entry(line, version) for line in lines)}</Stmt>"
    )


def camt(*statements: str, version: int = 2, doctype: str = "") -> bytes:
    return (
        f"<?xml version='1.0' encoding='UTF-8'?>{doctype}<Document xmlns='{CAMT}{version:02}'><BkToCstmrStmt><GrpHdr>"
        f"<MsgId>M</MsgId><CreDtTm>2026-03-05T01:00:00+01:00</CreDtTm></GrpHdr>{''.join(statements)}</BkToCstmrStmt>"
        "</Document>"
    ).encode()


def mt940(
    account: str,
    opening: str,
    closing: str,
    lines: Iterable[str] = (),
    *,
    day: str = "260304",
    number: str = "41/1",
    marks: tuple[str, str] = ("60F", "62F"),
    currency: str = "EUR",
) -> str:
    def balance(amount: str) -> str:
        return f"{'D' if amount.startswith('-') else 'C'}{day}{currency}{amount.removeprefix('-').replace('.', ',')}"

    fields = [":20:STARTUMSE", f":25:{account}", f":28C:{number}", f":{marks[0]}:{balance(opening)}", *lines]
    return "\r\n".join([*fields, f":{marks[1]}:{balance(closing)}", "-", ""])
