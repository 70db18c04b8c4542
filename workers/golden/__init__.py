"""Golden sets at work: targets that are asked, runs, baselines, reports, and items that come in."""
