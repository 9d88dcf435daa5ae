"""The web service: what was published, over HTTP, for a person's browser, a monitor and programs.

Comes in: the published copy, the page, status files, the release tool's history. Goes out: answers to GET and HEAD.
Never: a write, a lock, the live store's rows, pandas, a word to another host.
"""
