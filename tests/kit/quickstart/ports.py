"""Which ports the demonstration listens on: those of its configuration, or free ones where one is taken."""

import re
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

HOST = "127.0.0.1"
_PORT = re.compile(rf"(?<={re.escape(HOST)}:)\d+")


def ports_in(text: str) -> list[int]:
    """Returns the ports of loopback that a configuration names, each once."""
    return sorted({int(port) for port in _PORT.findall(text)})


def taken(ports: Iterable[int]) -> list[int]:
    """Returns those that something else listens on, by UDP or by TCP."""
    return [port for port in ports if not _free(port)]


def _free(port: int) -> bool:
    try:
        with ExitStack() as stack:
            _bind(stack, port)
    except OSError:
        return False
    return True


def _bind(stack: ExitStack, port: int) -> int:
    """Binds a port by TCP and UDP; 0 is any. Raises OSError: it is taken."""
    tcp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the daemon does: what ended a moment ago is free
    tcp.bind((HOST, port))
    number: int = tcp.getsockname()[1]
    udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    udp.bind((HOST, number))
    return number


def free_ports(count: int) -> list[int]:
    """Returns ports that are free by UDP and TCP, all different."""
    found: list[int] = []
    with ExitStack() as stack:
        while len(found) < count:
            try:
                found.append(_bind(stack, 0))
            except OSError:  # free by TCP, taken by UDP
                continue
    return found


def derived(text: str, ports: Mapping[int, int], paths: Mapping[str, Path]) -> str:
    """Returns a configuration on other ports, and with other paths for the keys ``data_dir`` and ``file``.

    Raises:
        ValueError: it does not have such a key.
    """
    text = _PORT.sub(lambda match: str(ports.get(int(match[0]), int(match[0]))), text)
    for key, path in paths.items():
        text, count = re.subn(rf'(?m)^{re.escape(key)} = ".*"', f"{key} = {_quoted(path)}", text)
        if count != 1:
            raise ValueError(f"the configuration has {count} keys {key}, not one")
    return text


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'.replace("\\", "\\\\")  # once more for re
