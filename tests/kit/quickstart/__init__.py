"""The demonstration that `make run` shows: a bridge, a public IM network and a conversation, all on loopback.

``python -m tests.kit.quickstart --once`` has the conversation, verifies the log and ends; without ``--once`` it stays
up for softphones. Every part is a process of its own: an OSCAR server, a person on it, the daemon ``simplebridge run``
on ``conf/quickstart.toml``, and the two SIP users, who are ``simplebridge softphone``. `world` starts and stops them,
`conversation` is what happens, `stage` shows it.
"""
