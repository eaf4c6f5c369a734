"""simplebridge: bridge."""
