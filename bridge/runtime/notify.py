"""Tells systemd the state of the service (sd_notify(3)): a datagram to the socket that the environment names."""

import os
import socket


def sd_notify(*lines: str) -> bool:
    """Sends state lines such as ``READY=1``.

    Returns:
        Whether a service manager listens; without one this does nothing.

    Raises:
        OSError: the socket that $NOTIFY_SOCKET names does not take the datagram.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address[0] == "@":
        address = "\0" + address[1:]  # an abstract socket, unix(7)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notifier:
        notifier.connect(address)
        notifier.sendall("\n".join(lines).encode())
    return True
