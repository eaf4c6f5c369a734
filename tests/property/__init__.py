"""simplebridge: tests.property."""
