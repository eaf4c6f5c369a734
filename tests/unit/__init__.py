"""simplebridge: tests.unit."""
