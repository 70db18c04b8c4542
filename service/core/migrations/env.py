"""Alembic's entry: migrates over the connection that `service.core.db` hands in."""

from alembic import context

from service.core.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
