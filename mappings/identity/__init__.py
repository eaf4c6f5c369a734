"""simplebridge: mappings.identity."""
