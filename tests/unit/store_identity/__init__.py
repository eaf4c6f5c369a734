"""simplebridge: tests.unit.store_identity."""
