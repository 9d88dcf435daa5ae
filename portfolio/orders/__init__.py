"""Target weights and holdings in, whole-share order proposals with fees out.

Here the ledger's Decimal money meets the estimates' floats. Comes in: a decision's weights, positions, last
closes, the limits and a fee schedule. Goes out: one `Plan` that keeps every limit after rounding and fees, or a
refusal with the figures.
Never: sends an order anywhere, reads a store, a setting or the clock.
"""
