"""Serves a built page to this machine's own browser, and nothing but the page.

The address is the loopback's, and a request must say so: one for another host's name comes from a
page elsewhere whose name now leads here (DNS rebinding). A link out of the directory is not
followed.
"""

import functools
import http.server
import os
import sys

_HOSTS = ("127.0.0.1", "localhost")


class _Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012  the base class's own attribute; no system's list is asked
        ".css": "text/css",
        ".html": "text/html",
        ".js": "text/javascript",
        ".json": "application/json",
        ".wasm": "application/wasm",
        "": "application/octet-stream",
    }

    def send_head(self):
        """As the base class's, of files inside the directory, asked for by a name of this host."""
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        asked = self.translate_path(self.path)
        root = os.path.realpath(self.directory)
        path = "/" if "\0" in asked else os.path.realpath(asked)
        if host not in _HOSTS or os.path.commonpath((root, path)) != root:
            self.send_error(http.HTTPStatus.FORBIDDEN)
            return None
        return super().send_head()

    def list_directory(self, path):
        """Lists nothing."""
        self.send_error(http.HTTPStatus.NOT_FOUND)

    def end_headers(self):
        self.send_header("Cache-Control", "no-cache")  # another run's page comes at this address
        super().end_headers()

    def log_message(self, *_):
        """Says nothing of each request."""


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Says nothing of who went away before the answer was there."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


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
    return _Server(("127.0.0.1", port), handler)
