"""simplebridge: bridge.compliance."""
