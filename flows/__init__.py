"""Prefect flows: what runs by itself on each session morning and night.

Comes in: a schedule, or a person in Prefect's UI. Goes out: the same runs as the commands make, with their state,
artifacts and logs in Prefect. Never: arithmetic, SQL, a decision of its own; a flow reads like a table of contents.
"""
