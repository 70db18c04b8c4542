"""Offline scoring: a file in, a row out for each of its rows."""
