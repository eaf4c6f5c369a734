"""A small OSCAR server that speaks the real protocol, for the demonstration and for tests: a process of its own.

``python -m tests.kit.oscar_server --listen 127.0.0.1:0 --account alice:secret --account bob:secret`` prints one line,
``{"listening": "127.0.0.1:PORT"}``, takes JSON lines on its standard input (`control`) and ends on SIGTERM.
``python -m tests.kit.oscar_server.user`` is a scripted person, on the bridge's own connector.
`process` has classes that run both.

From the bottom: `accounts` (who there is), `rating` (how fast they may be), `residents` (who is there now),
`network` (all of them), `connection` (FLAP and sign-on), `session` with the food groups `generic`, `locate`,
`presence`, `messages`, `lists`, `privacy`, `icq_store`. Nothing of that has sockets or a clock: `sockets` has.
"""
