"""Golden sets: labelled items, runs over them, and whether one run is worse than another. No database, no model."""
