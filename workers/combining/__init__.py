"""Fitting one calibrated score of all scorers' to labels, and measuring what it is worth."""
