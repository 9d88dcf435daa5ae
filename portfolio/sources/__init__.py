"""Sources: the outside world as raw frames, and the checks that every frame passes before it is stored.

Comes in: what a provider (or the packaged sample) gives, and the instant it was asked at. Goes out: a `Batch` of
prices, actions and macro values, then a `CheckedBatch` that parts the believed rows from the quarantined ones,
with findings. Never: a row dropped without a trace, a row believed because of what came after it became known,
an adjusted price, a value invented without a label that says so.
"""
