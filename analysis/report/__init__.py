"""notebook -> report: run the incident notebook for each incident and write what came of it."""

from analysis.report.batch import write_reports
from analysis.report.job import Outcome

__all__ = ["Outcome", "write_reports"]
