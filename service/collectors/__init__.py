"""Collectors: what `/metrics` of a sidecar reads from the database; each by itself, within bounds of its own."""
