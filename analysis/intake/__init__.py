"""bytes -> records -> frame: read Falco alerts, whole and typed, and give back what is no alert."""

from analysis.intake.frame import read_alerts
from analysis.intake.records import parse_record, raw_records

__all__ = ["parse_record", "raw_records", "read_alerts"]
