"""simplebridge: transports.sip.wire."""
