"""Serves a built page to this machine's own browser."""

import functools
import http.server


class _Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012  the base class's own attribute; no system's list is asked
        ".css": "text/css",
        ".html": "text/html",
        ".js": "text/javascript",
        ".json": "application/json",
        ".wasm": "application/wasm",
        "": "application/octet-stream",
    }

    def end_headers(self):
        self.send_header("Cache-Control", "no-cache")  # another run's page comes at this address
        super().end_headers()

    def log_message(self, *_):
        """Says nothing of each request."""


def server(directory, port=0):
    """A server of a directory on the loopback address.

    Args:
        directory: of a built page.
        port: 0 for any that is free.

    Returns:
        `http.server.ThreadingHTTPServer`, which serves when `serve_forever` is called.

    Raises:
        OSError: if the port is taken.
    """
    handler = functools.partial(_Handler, directory=str(directory))
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
