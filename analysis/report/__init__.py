"""notebook -> report: run the incident notebook for each incident and write what came of it."""

from analysis.report.batch import Outcome, write_reports

__all__ = ["Outcome", "write_reports"]
