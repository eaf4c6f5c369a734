"""simplebridge: mappings."""
