"""simplebridge: tests.bench."""
