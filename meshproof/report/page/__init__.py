"""The report of a run as one page that needs nothing else: no network, no script for reading."""

from __future__ import annotations

from meshproof.report.page.build import PAGE, REPORT, write_report

__all__ = ["PAGE", "REPORT", "write_report"]
