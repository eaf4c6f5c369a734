"""simplebridge: transports.sip.machine."""
