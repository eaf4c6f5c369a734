"""Alembic's environment: the connection is handed in by ``bridge.store.migrate``; there is no offline mode."""

from alembic import context

from bridge.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=False,
    transactional_ddl=False,  # the caller holds the one transaction that all steps are in
)
context.run_migrations()
