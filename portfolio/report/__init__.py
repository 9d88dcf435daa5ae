"""The report: one day's answer in, one self-contained HTML page out.

Comes in: `data.ReportData`, plain values filled by the composer. Goes out: the page's text (`page.render_page`)
and a file (`page.write_page`). Never: a request to anywhere, a script, a clock, a number of its own beyond
sums and differences of what it was given, a smoothed probability.
"""
