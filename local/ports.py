"""TCP ports on the loopback interface."""

import socket

from local.errors import PortTaken

HOST = "127.0.0.1"


def free_port() -> int:
    """A port that nothing listens on right now; the kernel picks it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def require_free(ports: dict[str, int]) -> None:
    """Raise `PortTaken` for the first setting whose port cannot be bound, or that shares its port with another.

    `ports` maps the name of a setting to its port. Bound with SO_REUSEADDR, as servers do, so that connections
    of the last run that linger in TIME_WAIT do not count as taken.
    """
    owners: dict[int, str] = {}
    for setting, port in ports.items():
        if port in owners:
            raise PortTaken(f"{owners[port]} and {setting} are both {port}: give one of them another port.")
        owners[port] = setting
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                raise PortTaken(
                    f"Port {port} on {HOST} is taken ({error.strerror.lower() if error.strerror else error}): "
                    f"stop what listens there, or set {setting} to another port."
                ) from error
