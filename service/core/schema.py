"""The schema: the metadata of all tables, as migrations make them."""

from service.core import alert_tables, label_tables, review_tables, tables

PARTS = (tables, label_tables, alert_tables, review_tables)  # each adds its tables to the one metadata when it is read
metadata = tables.metadata
