"""The outside world on this machine: Yahoo, FRED and the dead-man's switch over HTTP, from a folder of small files.

    with serving(market_of_sample(folder)) as stub:
        settings = settings_in(tmp_path, **stub.settings)
        stub.at(paris("2018-06-29 07:30"))
        stub.inject(Fault("nan-tail"))

It answers as the services do, up to an instant, and does wrong only what is injected.
"""

from __future__ import annotations

from tests.support.outside.faults import Fault
from tests.support.outside.file_market import market_of_files
from tests.support.outside.records import Asked
from tests.support.outside.sample_market import market_of_sample
from tests.support.outside.serve import Stub, serving

__all__ = ["Asked", "Fault", "Stub", "market_of_files", "market_of_sample", "serving"]
