"""simplebridge: bridge.runtime."""
