"""A host for the release tool under a folder: releases, a systemctl and an API that keep to the contract, and no more.

The tool is the real one, in processes of its own; so are the workers, which are processes that sleep.
"""
