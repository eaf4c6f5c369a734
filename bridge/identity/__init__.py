"""simplebridge: bridge.identity."""
