"""simplebridge: tests."""
