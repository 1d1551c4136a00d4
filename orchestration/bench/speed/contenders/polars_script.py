"""polars as its makers would have it: lazy, streaming, only the columns needed; liabilities alone, in decimals."""

from __future__ import annotations

import polars as pl

from orchestration.bench.speed.contenders.script import Script


def main() -> None:
    """Compute liabilities."""
    script = Script.of_command_line()
    with script.step("liabilities"):
        liability = _liabilities(script)
    script.finish(liability.iter_rows())


def _scan(script: Script, table: str) -> pl.LazyFrame:
    return pl.scan_parquet(script.files(table), hive_partitioning=False)


def _liabilities(script: Script) -> pl.DataFrame:
    customers = _scan(script, "accounts").join(
        _scan(script, "entities").filter(pl.col("entity_type") == "customer"), on="entity_id", how="semi"
    )
    changes = (
        _scan(script, "ledger_entries")
        .join(customers, on="account_id", how="semi")
        .group_by("account_id", "asset", pl.col("effective_at").dt.date().alias("day"))
        .agg(pl.col("amount").sum())
        .collect(engine="streaming")
    )
    balances = changes.sort("account_id", "asset", "day").with_columns(
        pl.col("amount").cum_sum().over("account_id", "asset").alias("balance")
    )
    before = pl.col("balance") - pl.col("amount")
    by_day = balances.group_by("asset", "day").agg(
        (_positive(pl.col("balance")) - _positive(before)).sum().alias("change")
    )
    days = _scan(script, "wallet_balances").select(pl.col("as_of").dt.date().alias("day")).unique().collect()
    return (
        days.join(by_day.select("asset").unique(), how="cross")
        .join(by_day, on=["day", "asset"], how="left")
        .sort("asset", "day")
        .select("day", "asset", pl.col("change").fill_null(0).cum_sum().over("asset").alias("liability"))
    )


def _positive(amount: pl.Expr) -> pl.Expr:
    return pl.when(amount > 0).then(amount).otherwise(pl.lit(0).cast(pl.Decimal(38, 18)))


if __name__ == "__main__":
    main()
