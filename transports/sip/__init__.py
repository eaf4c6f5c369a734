"""simplebridge: transports.sip."""
