"""simplebridge: bridge.model."""
