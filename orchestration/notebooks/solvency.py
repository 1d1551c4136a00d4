"""A marimo notebook: what the exchange owes and holds, asset by asset, and what its affiliates owe it.

    marimo edit solvency.py -- --warehouse WAREHOUSE        # to work in
    python solvency.py --warehouse WAREHOUSE                # as a script
    marimo export html solvency.py -o solvency.html -- --warehouse WAREHOUSE

Amounts are exact decimals in the tables. A chart takes floats, which decide nothing but where a line is drawn.
"""

import marimo

app = marimo.App(width="medium", app_title="Solvency")


@app.cell
def libraries():
    import argparse
    import sys
    from pathlib import Path

    import altair as alt
    import marimo as mo
    import polars as pl

    from orchestration.reading.published import open_published

    pl.Config.set_tbl_width_chars(160)
    return Path, alt, argparse, mo, open_published, pl, sys


@app.cell
def warehouse(Path, argparse, mo, open_published, sys):
    parser = argparse.ArgumentParser()
    parser.add_argument("--warehouse", type=Path, default=Path("warehouse"))
    folder = parser.parse_args(sys.argv[1:]).warehouse
    connection = open_published(folder)
    mo.md(f"Warehouse `{folder}`, read-only.")
    return (connection,)


@app.cell
def headline(connection, mo, pl):
    days = pl.from_arrow(connection.sql("select * from marts.fct_solvency_daily order by as_of_date").to_arrow_table())
    today = days.row(-1, named=True)
    sentence = (
        f"On {today['as_of_date']} the exchange was **{today['status']}**: customers were owed"
        f" {today['customer_liabilities_usd']:,.2f} USD, {today['eligible_reserves_usd']:,.2f} USD counted for them,"
        f" and {today['in_kind_shortfall_usd']:,.2f} USD were missing in kind."
    )
    print(sentence.replace("**", ""))
    mo.md(f"# Solvency\n\n{sentence}")
    return days, today


@app.cell
def trend(alt, days, pl):
    drawn = days.select(
        "as_of_date",
        pl.col("customer_liabilities_usd").cast(pl.Float64).alias("owed to customers"),
        pl.col("eligible_reserves_usd").cast(pl.Float64).alias("eligible reserves"),
    ).unpivot(index="as_of_date", variable_name="what", value_name="usd")
    chart = (
        alt.Chart(drawn.to_pandas(), title="Owed to customers and eligible reserves")
        .mark_line()
        .encode(
            x=alt.X("as_of_date:T", title=None),
            y=alt.Y("usd:Q", title="USD", axis=alt.Axis(format="~s")),
            color=alt.Color("what:N", title=None, legend=alt.Legend(orient="top")),
        )
        .properties(width=640, height=260)
    )
    chart
    return (chart,)


@app.cell
def coverage(connection, pl, today):
    groups = pl.from_arrow(
        connection.sql(
            """
            select in_kind_group, liability, eligible_reserves, gap, coverage_ratio, gap_usd
            from marts.fct_reserve_coverage_daily
            where as_of_date = ?
            order by gap_usd nulls last
            """,
            params=[today["as_of_date"]],
        ).to_arrow_table()
    )
    print(groups.filter(pl.col("gap") < 0))
    groups
    return (groups,)


@app.cell
def largest_affiliate(connection, mo, pl, today):
    exposures = pl.from_arrow(
        connection.sql(
            """
            select entity_id, gross_borrowing_usd, collateral_haircut_usd, uncollateralised_usd,
                share_of_customer_liabilities, active_privileges
            from marts.fct_affiliate_exposure_daily
            where as_of_date = ?
            order by uncollateralised_usd desc, entity_id
            """,
            params=[today["as_of_date"]],
        ).to_arrow_table()
    )
    print(exposures.head(1))
    mo.vstack([mo.md("## What affiliates owe"), exposures])
    return (exposures,)


if __name__ == "__main__":
    app.run()
