"""Figures: a frame in, a Picture out, with the words that say the same to who cannot see it.

Draws what other modules found; decides nothing but what fits on a page, and says what it left
out. `alert` draws one alert, `tree` and `activity` many, `shift` counts.
"""

from analysis.figures.activity import activity
from analysis.figures.alert import lineage, timeline
from analysis.figures.picture import Picture
from analysis.figures.shift import bars, volume
from analysis.figures.tree import process_tree

__all__ = ["Picture", "activity", "bars", "lineage", "process_tree", "timeline", "volume"]
