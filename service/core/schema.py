"""The schema: the metadata of all tables, as migrations make them."""

from service.core.label_tables import labels

metadata = labels.metadata  # of the tables in `service.core.tables` too
