"""Prometheus rules about an installation: what they are, and how they are written down."""
