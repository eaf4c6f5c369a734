"""simplebridge: transports."""
