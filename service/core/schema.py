"""The schema: the metadata of all tables, as migrations make them."""

from service.core import alert_tables, golden_tables, label_tables, probe_tables, review_tables, tables

# each adds its tables to the one metadata when it is read
PARTS = (tables, label_tables, alert_tables, review_tables, golden_tables, probe_tables)
metadata = tables.metadata
