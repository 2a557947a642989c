"""bytes -> records -> frame: read Falco alerts, whole and typed, and give back what is no alert."""

from analysis.intake.columns import whole_number
from analysis.intake.frame import frame_of, read_alerts
from analysis.intake.kinds import kind_of, rules_that_print
from analysis.intake.records import Origin, Record, Reject, iter_records, raw_records
from analysis.intake.template import fields_of
from analysis.quoting import show_frames_as_text

__all__ = [
    "Origin",
    "Record",
    "Reject",
    "fields_of",
    "frame_of",
    "iter_records",
    "kind_of",
    "raw_records",
    "read_alerts",
    "rules_that_print",
    "whole_number",
]

# from here on there may be frames of alert text, and a notebook shows a frame as pandas has it
show_frames_as_text()
