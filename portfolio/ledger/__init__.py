"""What really happened in the account: entries in, positions out, all money in Decimal.

Comes in: a CSV file a person wrote (docs/LEDGER.md), or entries read from the store. Goes out: checked `Entry`
records with stable ids, and the `Positions` folded from them.
Never: a price estimate, a float, the clock (today is an argument), or a write.
"""
