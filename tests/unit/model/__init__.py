"""simplebridge: tests.unit.model."""
