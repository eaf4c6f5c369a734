"""simplebridge: bridge.store."""
