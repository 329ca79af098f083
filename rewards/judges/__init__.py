"""Judges: whether a report meets a criterion: `met`, `partial` or `unmet`."""
