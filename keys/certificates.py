"""When a certificate ends: all that a hub behind a proxy asks of the proxy's."""

from __future__ import annotations

from cryptography import x509

from keys.errors import KeysError


def end_of(pem: bytes) -> int:
    """Return when the first certificate in *pem* ends, in UTC milliseconds.

    Raises:
        KeysError: ``certificate``; it isn't one.
    """
    try:
        return int(x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp() * 1000)
    except ValueError as error:
        raise KeysError(
            "certificate", "this is no certificate in PEM", "name the file that the proxy serves"
        ) from error
