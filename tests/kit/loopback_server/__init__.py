"""A server of the sample network, as a process of its own: ``python -m tests.kit.loopback_server``."""
