-- min_reader: 1
-- Instants are TIMESTAMPTZ (UTC), days are DATE. History is only ever inserted: no UPDATE, no upsert.

CREATE SCHEMA core;
CREATE SCHEMA raw;
CREATE SCHEMA out;

-- What this file is: application, kind (sample or live), created_at.
CREATE TABLE core.meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE core.migrations (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    min_reader INTEGER NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL,
    release TEXT NOT NULL
);

-- A copy of the calendars for ad-hoc SQL, replaced when they change: computed, not history, hence no key to maintain.
CREATE TABLE core.trading_sessions (
    exchange TEXT NOT NULL,
    session DATE NOT NULL,
    opens_at TIMESTAMPTZ NOT NULL,
    closes_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE raw.batches (
    batch_id BIGINT PRIMARY KEY,
    run_id TEXT NOT NULL,
    source TEXT NOT NULL,
    fetched_at TIMESTAMPTZ NOT NULL,
    rows_in INTEGER NOT NULL,
    rows_new INTEGER NOT NULL,
    rows_quarantined INTEGER NOT NULL
);

-- Unadjusted prices. A row's versions differ by batch_id; docs/decisions/0003-point-in-time-rows.md.
CREATE TABLE raw.prices (
    symbol TEXT NOT NULL,
    observed_on DATE NOT NULL,
    batch_id BIGINT NOT NULL,
    open DOUBLE,
    high DOUBLE,
    low DOUBLE,
    close DOUBLE,
    volume DOUBLE,
    currency TEXT NOT NULL,
    basis TEXT NOT NULL,
    available_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (symbol, observed_on, batch_id)
);

CREATE TABLE raw.actions (
    symbol TEXT NOT NULL,
    observed_on DATE NOT NULL,
    kind TEXT NOT NULL,
    batch_id BIGINT NOT NULL,
    value DOUBLE,
    available_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (symbol, observed_on, kind, batch_id)
);

CREATE TABLE raw.macro (
    series TEXT NOT NULL,
    observed_on DATE NOT NULL,
    batch_id BIGINT NOT NULL,
    value DOUBLE,
    available_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (series, observed_on, batch_id)
);

-- Rows that failed a check: kept with the reason, believed by nobody. observed_on may be what was wrong.
CREATE TABLE raw.quarantine (
    kind TEXT NOT NULL,
    symbol TEXT NOT NULL,
    observed_on DATE,
    rule TEXT NOT NULL,
    batch_id BIGINT NOT NULL,
    severity TEXT NOT NULL,
    message TEXT NOT NULL,
    payload TEXT NOT NULL,
    available_at TIMESTAMPTZ
);

CREATE TABLE raw.ledger_entries (
    seq BIGINT PRIMARY KEY,
    entry_id TEXT NOT NULL UNIQUE,
    booked_on DATE NOT NULL,
    kind TEXT NOT NULL,
    ticker TEXT,
    quantity BIGINT,
    price DECIMAL(18, 6),
    fee DECIMAL(18, 2),
    amount DECIMAL(18, 2),
    note TEXT NOT NULL,
    imported_at TIMESTAMPTZ NOT NULL,
    run_id TEXT NOT NULL
);

CREATE TABLE out.run_starts (
    run_id TEXT PRIMARY KEY,
    command TEXT NOT NULL,
    session DATE,
    started_at TIMESTAMPTZ NOT NULL,
    release TEXT NOT NULL,
    source TEXT,
    pid BIGINT NOT NULL
);

CREATE TABLE out.run_ends (
    run_id TEXT PRIMARY KEY,
    finished_at TIMESTAMPTZ NOT NULL,
    outcome TEXT NOT NULL,
    exit_code INTEGER NOT NULL,
    rows_in BIGINT NOT NULL,
    rows_out BIGINT NOT NULL,
    detail TEXT NOT NULL
);

CREATE TABLE out.findings (
    run_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    severity TEXT NOT NULL,
    rule TEXT NOT NULL,
    subject TEXT NOT NULL,
    message TEXT NOT NULL,
    session DATE,
    value TEXT,
    PRIMARY KEY (run_id, seq)
);

CREATE TABLE out.signals (
    session DATE NOT NULL,
    revision INTEGER NOT NULL,
    decided_at TIMESTAMPTZ NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL,
    as_of DATE NOT NULL,
    run_id TEXT NOT NULL,
    decision TEXT NOT NULL,
    model_id TEXT,
    batch_id BIGINT NOT NULL,
    previous_session DATE,
    previous_revision INTEGER,
    answer_sha256 TEXT NOT NULL,
    answer TEXT NOT NULL,
    settings_json TEXT NOT NULL,
    PRIMARY KEY (session, revision)
);

CREATE TABLE out.orders (
    session DATE NOT NULL,
    revision INTEGER NOT NULL,
    signal_revision INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL,
    plan_sha256 TEXT NOT NULL,
    plan TEXT NOT NULL,
    PRIMARY KEY (session, revision)
);

CREATE TABLE out.models (
    model_id TEXT PRIMARY KEY,
    created_at TIMESTAMPTZ NOT NULL,
    run_id TEXT NOT NULL,
    fit_start DATE NOT NULL,
    fit_end DATE NOT NULL,
    passed BOOLEAN NOT NULL,
    manifest TEXT NOT NULL
);

CREATE TABLE out.promotions (
    seq BIGINT PRIMARY KEY,
    model_id TEXT NOT NULL,
    role TEXT NOT NULL,
    promoted_at TIMESTAMPTZ NOT NULL,
    run_id TEXT NOT NULL,
    reasons TEXT NOT NULL
);

-- A run without an end was interrupted, or is running while finished_at is NULL.
CREATE VIEW out.runs AS
SELECT s.run_id, s.command, s.session, s.started_at, s.release, s.source, s.pid,
       e.finished_at, e.outcome, e.exit_code, e.rows_in, e.rows_out, e.detail
FROM out.run_starts AS s
LEFT JOIN out.run_ends AS e ON e.run_id = s.run_id;

-- What was known at `cutoff` to someone who had seen the batches up to `newest_batch`: the newest such version.
CREATE MACRO core.prices_known(cutoff, newest_batch) AS TABLE
SELECT p.symbol, p.observed_on, p.open, p.high, p.low, p.close, p.volume, p.currency, p.basis, p.available_at,
       p.batch_id, b.fetched_at
FROM raw.prices AS p
JOIN raw.batches AS b ON b.batch_id = p.batch_id
WHERE p.available_at <= cutoff AND p.batch_id <= newest_batch
QUALIFY row_number() OVER (PARTITION BY p.symbol, p.observed_on ORDER BY p.batch_id DESC) = 1;

CREATE MACRO core.actions_known(cutoff, newest_batch) AS TABLE
SELECT a.symbol, a.observed_on, a.kind, a.value, a.available_at, a.batch_id, b.fetched_at
FROM raw.actions AS a
JOIN raw.batches AS b ON b.batch_id = a.batch_id
WHERE a.available_at <= cutoff AND a.batch_id <= newest_batch
QUALIFY row_number() OVER (PARTITION BY a.symbol, a.observed_on, a.kind ORDER BY a.batch_id DESC) = 1;

CREATE MACRO core.macro_known(cutoff, newest_batch) AS TABLE
SELECT m.series, m.observed_on, m.value, m.available_at, m.batch_id, b.fetched_at
FROM raw.macro AS m
JOIN raw.batches AS b ON b.batch_id = m.batch_id
WHERE m.available_at <= cutoff AND m.batch_id <= newest_batch
QUALIFY row_number() OVER (PARTITION BY m.series, m.observed_on ORDER BY m.batch_id DESC) = 1;

-- The newest version of everything, for a look around with plain SQL; decisions use the macros with their cutoff.
CREATE VIEW core.prices AS
SELECT p.* FROM raw.prices AS p
QUALIFY row_number() OVER (PARTITION BY p.symbol, p.observed_on ORDER BY p.batch_id DESC) = 1;

CREATE VIEW core.actions AS
SELECT a.* FROM raw.actions AS a
QUALIFY row_number() OVER (PARTITION BY a.symbol, a.observed_on, a.kind ORDER BY a.batch_id DESC) = 1;

CREATE VIEW core.macro AS
SELECT m.* FROM raw.macro AS m
QUALIFY row_number() OVER (PARTITION BY m.series, m.observed_on ORDER BY m.batch_id DESC) = 1;
