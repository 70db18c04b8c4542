"""Benches: what this machine carries, measured; started by `assay bench`."""
