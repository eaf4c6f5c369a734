"""simplebridge: transports.oscar.machine."""
