"""simplebridge: tests.integration."""
