"""One account's session with an IRC server, without I/O: `session.IrcSession`."""
