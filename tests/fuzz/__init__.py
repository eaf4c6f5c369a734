"""simplebridge: tests.fuzz."""
