"""FinancePortfolio: what a PEA should hold for the next session, and why.

Comes in: prices, macro series, the account's ledger, settings. Goes out: target weights, whole-share
orders, one HTML page, metrics. Never: an order sent to a broker, a signal on stale data, a look ahead.
"""

__version__ = "0.1.0"
