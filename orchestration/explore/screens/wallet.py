"""A wallet: whose it is, what it held through time, what of it counts, whether its balance rolls forward, findings."""

from __future__ import annotations

from orchestration.explore import address, charts, frame, holders, showing, solvency, tracing
from orchestration.explore.questions import ask_for_all, ask_for_one


def show(look: frame.Look) -> None:
    """Lay the page out."""
    name = address.stated("wallet")
    if not name:
        _choose(look)
        return
    showing.heading("Wallet", name)
    address.link("All wallets", "wallet", icon=":material/arrow_back:")
    day = address.day_control("Day", look.days)
    row = ask_for_one(look.reader.cursor, holders.wallet(name))
    if row is None:
        showing.words("No wallet of that name is published.")
        return
    showing.record(row)
    balances = ask_for_all(look.reader.cursor, holders.wallet_value(name))
    charts.through_time(balances, ("balance_usd", "eligible_usd"), unit="USD", marked=day)
    showing.table(
        look.reader,
        "Excluded on this day",
        holders.wallet_exclusions(name, day),
        name=f"excluded-{day}",
        empty="Nothing is excluded.",
    )
    showing.table(look.reader, "Balances by day", holders.wallet_balances(name), name="wallet-balances")
    showing.table(
        look.reader,
        "Balances against transfers",
        holders.wallet_roll_forward(name),
        name="roll-forward",
        hint="what transfers don't explain comes first",
    )
    showing.table(
        look.reader, "Customers' deposits that arrived here", holders.wallet_misdirected(name), name="misdirected"
    )
    showing.table(
        look.reader,
        "Findings",
        solvency.findings_about("wallet", name),
        name="findings-wallet",
        opens=showing.finding_target,
    )
    showing.table(
        look.reader,
        "Source rows behind findings",
        tracing.rows_of_wallet(name),
        name="wallet-sources",
        opens=showing.source_target,
        empty="None is kept: no finding rests on this wallet's rows.",
    )


def _choose(look: frame.Look) -> None:
    showing.heading("Wallets")
    day = address.day_control("Day", look.days)
    showing.table(
        look.reader,
        "Wallets, the largest first",
        holders.wallets(day),
        name=f"wallets-{day}",
        opens=lambda row: ("wallet", {"wallet": row["wallet_id"]}),
        hint="nothing where a balance has no price",
    )


if __name__ == "__main__":
    frame.on_page(show)
