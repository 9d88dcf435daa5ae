"""Regime: a feature table in, the probability of each market state per session out, and the model that gives it.

Pure, but for `artifact.py`, which reads and writes model folders. Decisions see *filtered* probabilities only: the one
for session t uses features up to t. It never smooths, never runs Viterbi, never predicts a return; "stressed" means
volatile, not falling. `hmm.py` fits, `filter.py` filters, `gates.py` and `judge.py` say whether a fit may be trusted.
"""
