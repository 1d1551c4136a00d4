"""A made-up claims schedule as filed, with every oddity of the real ones, and the balances that it states."""

from __future__ import annotations

from decimal import Decimal

from orchestration.imports.amounts import EXACT

AS_OF = "2022-11-11"
PRICES = """asset,date,open,high,low,close
BTC,2022-11-10,15880.2,18100.0,15834.0,17586.1
BTC,2022-11-11,17583.3,17650.9,16543.5,17034.3
ETH,2022-11-11,1299.3,1302.1,1198.3,1287.2
FTT,2022-11-11,3.4612,3.5988,2.4045,2.5221
USDT,2022-11-11,0.9975,1.0,0.9949,0.99912345
DOGE,2022-10-31,0.1168,0.1302,0.1146,0.1276
XRP,2022-11-12,0.3741,0.3850,0.3312,0.3434
"""
SCHEDULE = """Customer CodeToken / Fiat / NFT [Balance/NFT ID],
00000101,"BTC[0.1000000000000000],USD[-5.2000000000000000],NFT (123)[1]"
00000102,USD[50.0100000000000000]
00000103, "ETH[1e-8], TRUMP2024[0], BTC-PERP[-0.00009999999999997], USD[0.00]"
00000104,"BTC[2.5],FTT[1000.0000000000000001],NFT (288428489347/FTX EU - we are here! #91)[1],USD[-12708.46651419506

Page 1 of 3
Customer CodeToken / Fiat / NFT [Balance/NFT ID],
26138],USDT[0.0000000049230300]"
00000105,"DOGE[150.123456789012345678],XRP[-4555.9421905971297270]"
,"ETH[0.25],NFT (400/By sea, by land (and air))[2]"
Customer CodeToken / Fiat / NFT [Balance/NFT ID],
00000106,"USD[1925.10439724240698400000000000],BTC[-0.00
,Page 2 of 3
1],SRM_LOCKED[18.3536921300000000]"
00000107,USD[448761.2625922
6816]
00000108,"BTC[oops],USD[7]"
00000109,"ETH[0.12345678901234567891],USD[1.25]"
00000102,"USD[0.99],USDT[-0.75]"
a line of words
00000110,"BTT[9,855,953,073.69393992],USD[0.000000000000000001]"
"""

BALANCES: dict[tuple[str, str], Decimal] = {
    (account, asset): Decimal(amount)
    for account, asset, amount in (
        ("00000101", "BTC", "0.1"),
        ("00000101", "USD", "-5.2"),
        ("00000101", "NFT (123)", "1"),
        ("00000102", "USD", "51"),
        ("00000102", "USDT", "-0.75"),
        ("00000103", "ETH", "0.00000001"),
        ("00000103", "TRUMP2024", "0"),
        ("00000103", "BTC-PERP", "-0.00009999999999997"),
        ("00000103", "USD", "0"),
        ("00000104", "BTC", "2.5"),
        ("00000104", "FTT", "1000.0000000000000001"),
        ("00000104", "NFT (288428489347/FTX EU - we are here! #91)", "1"),
        ("00000104", "USD", "-12708.4665141950626138"),
        ("00000104", "USDT", "0.00000000492303"),
        ("00000105", "DOGE", "150.123456789012345678"),
        ("00000105", "XRP", "-4555.942190597129727"),
        ("00000105", "ETH", "0.25"),
        ("00000105", "NFT (400/By sea, by land (and air))", "2"),
        ("00000106", "USD", "1925.104397242406984"),
        ("00000106", "BTC", "-0.001"),
        ("00000106", "SRM_LOCKED", "18.35369213"),
        ("00000107", "USD", "448761.26259226816"),
        ("00000108", "USD", "7"),
        ("00000109", "USD", "1.25"),
        ("00000110", "BTT", "9855953073.69393992"),
        ("00000110", "USD", "0.000000000000000001"),
    )
}
REFUSED = [
    (18, "00000108: BTC[oops]"),
    (19, "00000109: ETH[0.12345678901234567891]"),
    (21, "a line of words"),
]


def totals(balances: dict[tuple[str, str], Decimal]) -> dict[str, tuple[Decimal, Decimal]]:
    """Per asset the sum of positive balances and of what is owed on negative ones, in plain exact arithmetic."""
    sums: dict[str, tuple[Decimal, Decimal]] = {}
    for (_, asset), amount in balances.items():
        liability, receivable = sums.get(asset, (Decimal(0), Decimal(0)))
        sums[asset] = (
            EXACT.add(liability, max(amount, Decimal(0))),
            EXACT.subtract(receivable, min(amount, Decimal(0))),
        )
    return sums
