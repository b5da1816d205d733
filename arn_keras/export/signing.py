"""Ed25519 signatures of a bundle's manifest (RFC 8032); needs the package `cryptography`.

The manifest holds the SHA-256 of every other file, so its signature covers them all.
"""

import pathlib

from arn_keras.errors import ExportError


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
    try:
        key = load_pem_private_key(pathlib.Path(path).read_bytes(), password=None)
    except OSError as error:
        raise ExportError(f"{path}: expected a readable key file: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ExportError(f"{path}: expected an unencrypted Ed25519 private key in PEM")
    return key
