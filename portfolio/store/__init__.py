"""DuckDB: the only folder with SQL.

Comes in: checked batches, runs, findings, decisions, orders, models, ledger entries. Goes out: the same rows, as
they were known at a given instant, and a published copy that readers open. It never decides anything, never
changes or deletes a row of history, never opens the database file beside its own connection, and never deletes
or moves a file of the user's.
"""
