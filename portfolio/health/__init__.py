"""Health: facts about the store, the flows and the machine in, verdicts with what to do out; and the heartbeat.

Comes in: the published copy, status files, a folder, the address of Prefect's API. Goes out: `Check` records, the worst
of which is the whole's status, and pings that tell a service elsewhere how a job ended. Never: a write, pandas (the
command answers in a fraction of a second), an answer waited for without a time-out.
"""
