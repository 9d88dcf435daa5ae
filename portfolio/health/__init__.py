"""Health: facts about the store, the last run and the machine in, verdicts with what to do out.

Comes in: the published copy and a folder. Goes out: `Check` records, the worst of which is the whole's status.
Never: a write, a network call, pandas (the command answers in under a second).
"""
