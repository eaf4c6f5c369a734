"""simplebridge: transports.oscar."""
