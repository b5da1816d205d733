"""Ed25519 signatures of a bundle's manifest (RFC 8032); needs the package `cryptography`.

The manifest holds the SHA-256 of every other file, so its signature covers them all.
"""

from arn_keras.errors import ExportError
from arn_keras.machine.files import read_bytes

_LIMIT_BYTES = 1 << 16


def load_private_key(path):
    """An Ed25519 private key from an unencrypted PEM file.

    Raises:
        ExportError: if it is no such key, or `cryptography` is missing.
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise ExportError("--sign: expected the package cryptography to be installed") from None
    content = read_bytes(path, ExportError, _LIMIT_BYTES, "a readable key file")
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ExportError(f"{path}: expected an unencrypted Ed25519 private key in PEM")
    return key
