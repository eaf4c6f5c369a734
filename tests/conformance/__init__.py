"""simplebridge: tests.conformance."""
