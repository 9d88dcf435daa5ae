"""Features: adjusted closes of the drivers and macro values known by then in, one table of numbers per session out.

Pure. Row t is computed from rows up to t only, never reads a store or a clock, and never repairs a bad price:
the checks did that before. `build.py` builds the table, `spec.py` says which columns exist.
"""
