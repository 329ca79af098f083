"""The frozen web: building, reading, searching, recording and exporting snapshots."""
