"""The order of a pull: one snapshot, each table's day, and what came late for days before.

What belongs here: which rows are asked for and in which order, what a check tries. What doesn't: SQL, the driver.

**Incremental.** A dated table's rows belong to days by their cursor. Day D's pull takes the rows whose cursor lies in
D. A row can also be committed after its day was pulled, with a cursor that lies before: its transaction was long, or
its clock slow. So a pull counts, in its own snapshot, the rows of each of the ``recount_days`` days before D and
compares them with what the last pull counted. A day that has more now is read again whole, and the ``overlap`` just
before D is read again always: a row that was changed there leaves the count as it was. Of what is read again only rows
land that this source hasn't delivered since that day, compared in all columns (``Batch.delivered_since``): so a quiet
overlap adds nothing, a late row comes once, with the day that first saw it, and a changed one comes too and is found by
the check ``keys_unique``. What was delivered with another mapping is known by its key only: spelled otherwise, each of
its rows would look changed. A day that has fewer rows now has lost some: a ledger doesn't, so the pull stops unless
``removed_rows`` accepts it.

**Whole.** All tables are read in one REPEATABLE READ snapshot, so both sides of a transaction are in it or neither is;
for that a pull that broke off begins anew instead of going on in another snapshot. As many rows must come as the same
snapshot counted. A replica that hasn't replayed the day's end, rows without a cursor, and a ledger pulled without its
beginning are refused.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from orchestration import contract
from orchestration.connectors.base import Batch, Completed, Connector, Feed, Json, Order, Probe, Services
from orchestration.connectors.delivery import configuration_digest
from orchestration.connectors.errors import AnswerError, EmptyAnswerError, IncompleteError, LimitError, SourceError
from orchestration.connectors.postgresql.configuration import PostgresqlConfiguration
from orchestration.connectors.postgresql.queries import Relation, TableQuery
from orchestration.connectors.postgresql.session import Session, opened
from orchestration.connectors.postgresql.stream import Stream
from orchestration.sql import quoted

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Counted:
    """Rows of each day in the snapshot, and the highest cursor of the last of them, None if that day has no rows."""

    rows: dict[date, int]
    highest: str | None


class PostgresqlConnector(Connector):
    """One database, by way of its own tables. Position: rows counted by day, the highest cursor, the snapshot."""

    configuration_class = PostgresqlConfiguration

    def __init__(self, name: str, configuration: PostgresqlConfiguration, services: Services) -> None:
        super().__init__(name, configuration, services)
        self.configuration = configuration

    @classmethod
    def feeds_of(cls, configuration: PostgresqlConfiguration) -> tuple[Feed, ...]:
        """The tables that are mapped."""
        return tuple(Feed(name, mapping.may_be_empty) for name, mapping in configuration.tables.items())

    def check(self) -> Iterator[Probe]:
        """Connect, and try each table's names, rights and types without reading a row of it."""
        with opened(self.configuration, self.services) as session:
            session.begin()
            version, database, user = session.rows(
                "select current_setting('server_version'), current_database(), current_user", "the server"
            )[0]
            yield Probe("connection", True, f"PostgreSQL {version}, database {database} as {user}")
            yesterday = self.services.clock.now().date() - _DAY
            for name in self.configuration.tables:
                session.begin()
                try:
                    query = self._query(session, name, yesterday)
                    yield Probe(name, True, self._found(session, query))
                except SourceError as error:
                    yield Probe(name, False, str(error))

    def _found(self, session: Session, query: TableQuery) -> str:
        place, columns = query.relation.place, len(query.selected)
        origin = query.mapping.relation or "its query"
        if query.cursor is None:
            session.rows(f"{query.whole()} limit 0", place)
            return f"{origin} can be read; {columns} columns suit"
        midnight = query.relation.since
        session.rows(f"{query.between(midnight, midnight + _DAY)} limit 0", place)
        told = f"{origin} can be read; {columns} columns suit; "
        has_index = self._has_index(session, query)
        if has_index is None:
            return told + "whether an index serves the cursor isn't known"
        if not has_index:
            return told + "no index begins with the cursor, so that every pull reads all of it: create one"
        first = session.rows(query.first_day(), place)
        return told + (f"its first rows are of {first[0][0]}: pull --from then" if first else "it has no rows yet")

    def _has_index(self, session: Session, query: TableQuery) -> bool | None:
        """Whether an index begins with the cursor's column; None if that can't be told: of a view, or SQL."""
        cursor = query.mapping.cursor
        if query.mapping.relation is None or cursor is None or cursor.column is None:
            return None
        found = session.rows(
            "select relkind::text in ('r', 'p'), exists(select from pg_index as i join pg_attribute as a"
            " on a.attrelid = i.indrelid and a.attnum = i.indkey[0] where i.indrelid = c.oid and i.indisvalid"
            f" and a.attname = {quoted(cursor.column)}) from pg_class as c"
            f" where c.oid = {quoted(query.relation.name)}::regclass",
            query.relation.place,
        )
        is_table, has_index = found[0]
        return bool(has_index) if is_table else None

    def pull(self, order: Order) -> Iterator[Batch | Completed]:
        """Yield each table's rows, all from one snapshot, and at last what was counted."""
        before: dict[str, Json] = (order.position or {}).get("tables", {})
        with opened(self.configuration, self.services) as session:
            session.begin()
            self._refuse_a_replica_behind(session, order)
            server, snapshot = session.rows(
                "select current_setting('server_version'), pg_current_snapshot()::text", "the server"
            )[0]
            told: dict[str, Json] = {}
            for name in self.configuration.tables:
                query = self._query(session, name, order.day)
                if query.table.dated:
                    told[name] = yield from self._dated(session, query, order, before.get(name))
                else:
                    told[name] = yield from self._whole(session, query)
            yield Completed({"tables": told, "snapshot": snapshot, "server": server})

    def _refuse_a_replica_behind(self, session: Session, order: Order) -> None:
        """A replica shows the day whole only once it has replayed what the primary committed after it."""
        is_replica, replayed = session.rows(
            "select pg_is_in_recovery(), pg_last_xact_replay_timestamp() at time zone 'UTC'", "the server"
        )[0]
        if is_replica and (replayed is None or replayed < order.until):
            shown = f"{replayed:%Y-%m-%d %H:%M:%S}" if replayed is not None else "nothing yet"
            raise IncompleteError(
                f"the server is a replica that has replayed {shown}, and {order.day} may not be whole there",
                "wait until it has caught up, or name the primary in connection",
            )

    def _query(self, session: Session, name: str, day: date) -> TableQuery:
        relation = Relation(contract.table(name), self.configuration.tables[name], datetime.combine(day, time()))
        if relation.mapping.time_zone != "UTC":  # without a row an unknown zone goes unnoticed
            session.rows(f"select now() at time zone {quoted(relation.mapping.time_zone)}", relation.place)
        return relation.typed(session.types(relation.described, relation.place))

    def _whole(self, session: Session, query: TableQuery) -> Generator[Batch, None, Json]:
        stream = self._stream(query)
        with session.stream(query.whole(), query.relation.place) as reader:
            yield Batch(query.table.name, stream.over(reader))
        return {"rows": stream.rows}

    def _dated(self, session: Session, query: TableQuery, order: Order, before: Json) -> Generator[Batch, None, Json]:
        self._refuse_rows_without_a_day(session, query)
        first_day = self._first_day(session, query, order, before)
        counted = self._count(session, query, order, first_day)
        known = {date.fromisoformat(day): rows for day, rows in before["rows"].items()} if before is not None else {}
        if before is not None:
            self._refuse_removed_rows(query, counted, known)
            mapped_since = self._mapped_since(query, order, before)
            yield from self._read_again(session, query, order, mapped_since, counted, known)
        yield from self._day(session, query, order, counted)
        return {
            "cursor": counted.highest or (before["cursor"] if before is not None else None),
            "rows": {day.isoformat(): rows for day, rows in counted.rows.items()},
            "first_day": first_day.isoformat() if first_day is not None else None,
            "mapping": configuration_digest([query.mapping.content]),
            "mapped_since": self._mapped_since(query, order, before).isoformat(),
        }

    @staticmethod
    def _mapped_since(query: TableQuery, order: Order, before: Json) -> date:
        """The first day that was delivered with the mapping as it is."""
        if before is None or before["mapping"] != configuration_digest([query.mapping.content]):
            return order.day
        return date.fromisoformat(before["mapped_since"])

    def _refuse_rows_without_a_day(self, session: Session, query: TableQuery) -> None:
        if session.rows(query.without_a_day(), query.relation.place)[0][0]:
            raise AnswerError(
                f"{query.relation.place}: there are rows whose cursor is null, so that they belong to no day",
                "fill it at the source, say cursor by sql, or leave them out by where",
            )

    def _first_day(self, session: Session, query: TableQuery, order: Order, before: Json) -> date | None:
        """The first day whose rows are delivered, None if there are none before; decided by the first pull."""
        if before is not None:
            return date.fromisoformat(before["first_day"]) if before["first_day"] is not None else None
        if not query.mapping.refuses_earlier_rows(query.table.name):
            return order.day
        if first := session.rows(query.first_day(order.since), query.relation.place):
            raise AnswerError(
                f"{query.relation.place}: there are rows before {order.day}, and without them balances are wrong",
                f"pull --from {first[0][0]}, or say earlier_rows: leave_out if opening entries stand for them",
            )
        return None

    def _count(self, session: Session, query: TableQuery, order: Order, first_day: date | None) -> _Counted:
        """Count the day's rows and those of the days before it that are looked at again."""
        days_before = max(self.configuration.recount_days, -(-query.mapping.overlap // _DAY))
        start = max(order.day - timedelta(days=days_before), first_day or date.min)
        found = {
            day: (rows, highest)
            for day, rows, highest in session.rows(
                query.counted(datetime.combine(start, time()), order.until), query.relation.place
            )
        }
        days = [start + timedelta(days=offset) for offset in range((order.day - start).days + 1)]
        return _Counted({day: found.get(day, (0, None))[0] for day in days}, found.get(order.day, (0, None))[1])

    def _refuse_removed_rows(self, query: TableQuery, counted: _Counted, known: dict[date, int]) -> None:
        for day, rows in counted.rows.items():
            if rows >= known.get(day, 0):
                continue
            problem = f"{query.relation.place}: {day} had {known[day]:,} rows when last counted and has {rows:,} now"
            if query.mapping.removed_rows == "refuse":
                raise AnswerError(
                    problem, "find out who removed or re-dated them; then say removed_rows: accept to go on"
                )
            self.services.report(f"{problem}; what was delivered stays")

    def _read_again(
        self,
        session: Session,
        query: TableQuery,
        order: Order,
        mapped_since: date,
        counted: _Counted,
        known: dict[date, int],
    ) -> Iterator[Batch]:
        """The overlap, and whole days that have more rows than when last counted."""
        for day, rows in counted.rows.items():
            midnight = datetime.combine(day, time())
            is_changed = rows > known.get(day, 0)
            since = midnight if is_changed else max(midnight, order.since - query.mapping.overlap)
            if day == order.day or not rows or since >= midnight + _DAY:
                continue
            stream = self._stream(query, rows if is_changed else None)
            with session.stream(query.between(since, midnight + _DAY), query.relation.place) as reader:
                is_spelled_otherwise = day < mapped_since
                yield Batch(
                    query.table.name, stream.over(reader), delivered_since=day, is_known_by_key=is_spelled_otherwise
                )

    def _day(self, session: Session, query: TableQuery, order: Order, counted: _Counted) -> Iterator[Batch]:
        rows, place = counted.rows[order.day], query.relation.place
        if rows == 0:
            if not query.mapping.may_be_empty:
                raise EmptyAnswerError(
                    f"{place}: no row is of {order.day}, which counts as missing and not as zero",
                    "see whether the source has them; if a day without rows is normal, say may_be_empty",
                )
            return
        if rows > self.configuration.limits.max_rows:
            raise LimitError(
                f"{place}: {order.day} has {rows:,} rows, more than {self.configuration.limits.max_rows:,}",
                "if that is honest, raise limits.max_rows of this source",
            )
        stream = self._stream(query, rows)
        with session.stream(query.between(order.since, order.until), place) as reader:
            yield Batch(query.table.name, stream.over(reader))

    def _stream(self, query: TableQuery, expected: int | None = None) -> Stream:
        limits, report = self.configuration.limits, self.services.report
        return Stream(query.relation.place, query.selected, limits, report, expected)
