"""Alembic's entry point: runs on the connection (and in the transaction) that the server hands it."""

from alembic import context

from visavis.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
