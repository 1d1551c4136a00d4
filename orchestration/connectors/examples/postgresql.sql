-- A small exchange's own database, with names of its own, for the five-minute path that SOURCES.md shows: two days in
-- which an affiliate that may go negative buys a customer's bitcoin with money that it doesn't have, and withdraws it.
--   createdb exchange && psql exchange -f orchestration/connectors/examples/postgresql.sql
create schema exchange;

create table exchange.users (
    id bigint primary key, kind text not null, full_name text, country text, created_at timestamptz not null
);
create table exchange.shareholdings (
    owner_id bigint not null, company_id bigint not null, percent numeric not null, bought_on date not null,
    sold_on date not null default 'infinity', recorded_at timestamptz not null
);
create table exchange.trading_accounts (
    id bigint primary key, user_id bigint not null, account_type text not null, label text,
    allow_negative boolean not null default false, allow_negative_since timestamptz, allow_negative_by text,
    opened_at timestamptz not null, closed_at timestamptz, changed_at timestamptz not null
);
create table exchange.currencies (code text primary key, class text not null, exponent smallint not null);
create table exchange.journal (
    id bigint primary key, transaction_id bigint not null, account_id bigint not null, currency text not null,
    amount numeric not null, kind text not null, value_at timestamptz not null, booked_at timestamptz not null,
    transfer_id text, note text
);
create index on exchange.journal (booked_at);
create table exchange.engine_balances (
    account_id bigint not null, currency text not null, balance numeric not null, taken_ms bigint not null
);
create index on exchange.engine_balances (taken_ms);
create table exchange.treasury_wallets (
    id text primary key, chain text not null, address text not null, owner_id bigint not null, purpose text not null,
    storage text not null, pledged_percent numeric not null, proof text not null, proven_at timestamptz,
    opened_at timestamptz not null, recorded_at timestamptz not null
);
create table exchange.treasury_balances (
    wallet_id text not null, currency text not null, units bigint not null, taken_at timestamptz not null
);
create index on exchange.treasury_balances (taken_at);
create table exchange.treasury_movements (
    id text primary key, wallet_id text not null, counterparty text, currency text not null, amount numeric not null,
    direction text not null, moved_at timestamptz not null, recorded_at timestamptz not null
);
create index on exchange.treasury_movements (recorded_at);
create table exchange.marks (currency text, usd numeric, volume_usd numeric, taken_at timestamptz, source text);
create index on exchange.marks (taken_at);

insert into exchange.users values
    (1, 'EXCHANGE', 'Example Exchange Ltd', 'MT', '2025-01-01T00:00:00Z'),
    (2, 'COMPANY', 'Example Trading LLC', 'US', '2025-01-01T00:00:00Z'),
    (3, 'PERSON', 'The Founder', 'US', '2025-01-01T00:00:00Z'),
    (10, 'CLIENT', 'Alice', 'DE', '2026-03-01T00:00:00Z'),
    (11, 'CLIENT', 'Bob', 'JP', '2026-04-01T00:00:00Z');
insert into exchange.shareholdings (owner_id, company_id, percent, bought_on, recorded_at) values
    (3, 1, 90, '2025-01-01', '2025-01-01T00:00:00Z'), (3, 2, 80, '2025-01-01', '2025-01-01T00:00:00Z');
insert into exchange.trading_accounts values
    (100, 1, 'OUTSIDE', 'the outside world', false, null, null, '2025-01-01T00:00:00Z', null, '2025-01-01T00:00:00Z'),
    (101, 10, 'SPOT', null, false, null, null, '2026-03-01T00:00:00Z', null, '2026-03-01T00:00:00Z'),
    (102, 11, 'SPOT', null, false, null, null, '2026-04-01T00:00:00Z', null, '2026-04-01T00:00:00Z'),
    (200, 2, 'MARGIN', 'market maker', true, '2026-11-21T08:00:00Z', 'cto', '2025-01-01T00:00:00Z', null,
        '2026-11-21T08:00:00Z');
insert into exchange.currencies values ('USD', 'FIAT', 2), ('BTC', 'COIN', 8);
insert into exchange.journal values
    (1, 1, 101, 'USD', 100000, 'OPEN', '2026-11-20T00:00:00Z', '2026-11-20T00:00:00Z', null, null),
    (2, 1, 100, 'USD', -100000, 'OPEN', '2026-11-20T00:00:00Z', '2026-11-20T00:00:00Z', null, null),
    (3, 2, 102, 'BTC', 10, 'OPEN', '2026-11-20T00:00:00Z', '2026-11-20T00:00:00Z', null, null),
    (4, 2, 100, 'BTC', -10, 'OPEN', '2026-11-20T00:00:00Z', '2026-11-20T00:00:00Z', null, null),
    (5, 3, 101, 'USD', 5000, 'DEP', '2026-11-21T06:00:00Z', '2026-11-21T06:00:01Z', 'wire-1', null),
    (6, 3, 100, 'USD', -5000, 'DEP', '2026-11-21T06:00:00Z', '2026-11-21T06:00:01Z', 'wire-1', null),
    (7, 4, 200, 'USD', -60000, 'TRD', '2026-11-21T09:00:00Z', '2026-11-21T09:00:00Z', null, 'on credit'),
    (8, 4, 102, 'USD', 60000, 'TRD', '2026-11-21T09:00:00Z', '2026-11-21T09:00:00Z', null, null),
    (9, 4, 102, 'BTC', -1, 'TRD', '2026-11-21T09:00:00Z', '2026-11-21T09:00:00Z', null, null),
    (10, 4, 200, 'BTC', 1, 'TRD', '2026-11-21T09:00:00Z', '2026-11-21T09:00:00Z', null, null),
    (11, 5, 200, 'BTC', -1, 'WDR', '2026-11-21T10:00:00Z', '2026-11-21T10:00:00Z', '0x5f1c', null),
    (12, 5, 100, 'BTC', 1, 'WDR', '2026-11-21T10:00:00Z', '2026-11-21T10:00:00Z', '0x5f1c', null);
insert into exchange.engine_balances values
    (101, 'USD', 100000, 1795219199000), (102, 'BTC', 10, 1795219199000),
    (101, 'USD', 105000, 1795305599000), (102, 'BTC', 9, 1795305599000), (102, 'USD', 60000, 1795305599000),
    (200, 'USD', -60000, 1795305599000), (200, 'BTC', 0, 1795305599000);
insert into exchange.treasury_wallets values
    ('bank-1', 'bank', 'DE89370400440532013000', 1, 'CLIENT_MONEY', 'BANK', 0, 'BANK_LETTER', '2026-11-01T00:00:00Z',
        '2025-01-01T00:00:00Z', '2025-01-01T00:00:00Z'),
    ('cold-1', 'bitcoin', '1BoatSLRHtKNngkdXEeobR76b53LETtpyT', 1, 'CLIENT_MONEY', 'VAULT', 0, 'SIGNED',
        '2026-11-01T00:00:00Z', '2025-01-01T00:00:00Z', '2025-01-01T00:00:00Z');
insert into exchange.treasury_balances values
    ('bank-1', 'USD', 10000000, '2026-11-20T23:59:00Z'), ('cold-1', 'BTC', 1000000000, '2026-11-20T23:59:00Z'),
    ('bank-1', 'USD', 10500000, '2026-11-21T23:59:00Z'), ('cold-1', 'BTC', 900000000, '2026-11-21T23:59:00Z');
insert into exchange.treasury_movements values
    ('wire-1', 'bank-1', 'Alice', 'USD', 5000, 'IN', '2026-11-21T05:59:00Z', '2026-11-21T06:00:00Z'),
    ('0x5f1c', 'cold-1', 'bc1q000', 'BTC', -1, 'OUT', '2026-11-21T10:05:00Z', '2026-11-21T10:06:00Z');
insert into exchange.marks values
    ('USD', 1, null, '2026-11-20T23:00:00Z', 'index'), ('BTC', 60000, 1000000000, '2026-11-20T23:00:00Z', 'index'),
    ('USD', 1, null, '2026-11-21T23:00:00Z', 'index'), ('BTC', 60000, 1000000000, '2026-11-21T23:00:00Z', 'index');
