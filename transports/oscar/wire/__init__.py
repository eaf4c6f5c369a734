"""simplebridge: transports.oscar.wire."""
