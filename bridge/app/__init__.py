"""simplebridge: bridge.app."""
