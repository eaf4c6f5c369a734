"""XMPP: as an external component of a server, and as a client of accounts."""
