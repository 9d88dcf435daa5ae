"""Regime probabilities in, target weights with their reasons out.

Comes in: filtered probabilities (or the reason why there are none), the policy's tables, the limits, the last
target, what the account holds, and the findings that block the day. Goes out: one `Decision`.
Never: reads a price, a store, a setting or the clock; never sells, buys or rounds to shares (that is `orders`).
"""
