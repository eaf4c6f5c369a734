"""simplebridge: bridge.delivery."""
