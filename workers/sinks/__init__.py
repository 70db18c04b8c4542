"""Delivery of one notice to one sink: each module knows one kind, `send` chooses."""
