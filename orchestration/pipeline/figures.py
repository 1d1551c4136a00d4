"""The append-only record of what was published: ``audit.published_figure``.

What belongs here: adding what a run says anew, and when it was published. What doesn't: which figures are kept and
which of them changed (``int_restatement__figure_change``), and what moved them (``evidence__restatement_row``).
"""

from __future__ import annotations

import duckdb

from orchestration.pipeline.run import RunContext, now_in_order


def record_published_figures(connection: duckdb.DuckDBPyConnection, context: RunContext) -> int:
    """Append the figures that differ from those last published, or were never published; return how many.

    A figure that was published and is gone is appended with a null amount. Call it in a transaction, as the last thing
    before the file that holds the figures is published; calling it again replaces what the same run recorded.
    """
    published_at = now_in_order(connection, context.run_id)
    connection.execute("update audit.run set published_at = ? where run_id = ?", [published_at, context.run_id])
    connection.execute("delete from audit.published_figure where run_id = ?", [context.run_id])
    inserted = connection.execute(
        """
        insert into audit.published_figure (
            entry_number, run_id, knowledge_at, as_of_date, source_table, figure, subject, amount, published_at,
            previous_entry_number, is_restatement
        )
        select
            (select coalesce(max(entry_number), 0) from audit.published_figure)
            + row_number() over (order by as_of_date, source_table, figure, subject) as entry_number,
            $run_id,
            $knowledge_at,
            as_of_date,
            source_table,
            figure,
            subject,
            amount,
            $published_at,
            previous_entry_number,
            is_restatement
        from intermediate.int_restatement__figure_change
        order by entry_number
        """,
        {"run_id": context.run_id, "knowledge_at": context.knowledge_at, "published_at": published_at},
    ).fetchall()
    return int(inserted[0][0])
