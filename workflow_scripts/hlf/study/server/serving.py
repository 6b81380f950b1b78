"""Running the web application, in one process: limits and the owner's sessions are kept in memory."""

import socket
from typing import TYPE_CHECKING

from hlf.errors import HlfError
from hlf.extras import needed_for

if TYPE_CHECKING:
    from hlf.study.running.platform import Platform
    from hlf.study.server.security import Options


def refuse_port(host: str, port: int) -> None:
    """Raise HlfError when this process cannot listen there: another server does, or the system does not allow it."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server itself, after a restart
            one.bind((host, port))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise HlfError(
            f"cannot listen on {host} port {port}: {reason}; choose another --port, or as --host an address of "
            "this machine"
        ) from error


def run_server(
    platform: "Platform", options: "Options", host: str, port: int, trusted_proxy: str | None = None
) -> None:
    """Serve a study until the process is told to stop; requests under way are answered first.

    Args:
        platform: the study.
        options: how the server is reached.
        host: address to listen on.
        port: port to listen on.
        trusted_proxy: address whose X-Forwarded-For and X-Forwarded-Proto are believed; None: nobody's.
    """
    with needed_for("the study's server", "'.[study]'"):
        import uvicorn

    from hlf.study.server.app import create_app

    uvicorn.run(
        create_app(platform, options), host=host, port=port, log_level="warning", access_log=False,
        server_header=False, date_header=True, proxy_headers=trusted_proxy is not None,
        forwarded_allow_ips=trusted_proxy, timeout_graceful_shutdown=10,
    )  # fmt: skip
