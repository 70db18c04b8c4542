"""Alerts: rules, what a reading means by them, and what follows from it. Pure: no database, no clock, no network."""
