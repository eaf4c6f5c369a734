"""simplebridge: tests.wire."""
