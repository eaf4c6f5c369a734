"""simplebridge: tests.kit."""
