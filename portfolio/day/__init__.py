"""The day: its stages in order, composed from the rooms. `portfolio run` and the flows both call it.

Comes in: settings, universe and an instant. Goes out: rows in the store, models, the page, an exit code. Never:
arithmetic of its own (that is in the pure rooms), SQL (store) or a second reading of the clock.
"""
