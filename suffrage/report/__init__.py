"""The report: one offline HTML page made from what runs and measurements left on disk.

    build_report(paths, out) -> find inputs -> one collect function a section -> one HTML file

Reports pull: nothing in training or measuring knows this package, and every input is a plain file,
so a page can be made long after the fact, on another machine, or from files written by hand.
"""

from suffrage.report.build import build_report

__all__ = ["build_report"]
