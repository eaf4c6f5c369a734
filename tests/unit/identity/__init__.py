"""simplebridge: tests.unit.identity."""
