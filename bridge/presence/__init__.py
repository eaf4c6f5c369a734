"""simplebridge: bridge.presence."""
