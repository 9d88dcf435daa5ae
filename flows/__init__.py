"""Prefect flows over `portfolio.day`'s stages. None yet: this release runs from the command line."""
