"""What a host is given: a release, the environment of Prefect's server, and the release tool, each as one file.

Comes in: a commit, the hash-locked requirements, the package index (or the cache of an earlier packing). Goes out:
files under `dist/`, the same bytes for the same commit. Never: shipped itself; something the lock does not name.
"""
