"""simplebridge: bridge.policy."""
