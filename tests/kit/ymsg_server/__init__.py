"""A YMSG server for tests: its own process, the real wire, made from the protocol's documents.

`network.Network` is the server without I/O: packets of a connection go in, packets and ends of connections come out.
`__main__` puts it on a socket and takes commands as JSON lines; `process` starts it; `user` is a person on the network.
It is held against transcripts of a real server (tests/unit/ymsg_server).
"""
