"""Officers' keys that never leave a device: named by a PKCS#11 URI, asked for one signature after another.

The module that speaks to the device comes with the device; ``python-pkcs11`` (the extra ``pkcs11``) loads it.  Keys are
Ed25519, made on the device, and can't be read out of it.

Source: RFC 7512 (URIs); PKCS #11 3.0, 6.5 (Edwards curves, CKM_EDDSA); protocol 7.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from hub.errors import HubError
from keys import jws
from keys.jws import VerifyingKey

SCHEME: Final = "pkcs11:"
# `edwards25519` as a DER PrintableString: how devices that speak 2.40 and 3.0 name the curve.
_CURVE: Final = bytes.fromhex("130c656477617264733235353139")
_RAW: Final = 32


class Address(NamedTuple):
    """Where a key is: ``module`` the device's library, ``token`` the token's label, ``name`` the key's."""

    module: str
    token: str
    name: str


class DeviceKey:
    """A key on a device that is open; a :class:`keys.jws.Signer`."""

    def __init__(self, private: Any, public: VerifyingKey) -> None:
        self._private, self.public, self.kid = private, public, public.kid

    def sign(self, payload: bytes, typ: str) -> bytes:
        """Return the compact JWS of *payload* for *typ*; what the device gives is checked before it is used.

        Raises:
            HubError: ``officer-device``.
            KeysError: ``jws-signature``.
        """
        return jws.sign_with(self.public, self._sign_raw, payload, typ)

    def _sign_raw(self, data: bytes) -> bytes:
        with _failing():
            return bytes(self._private.sign(data, mechanism=_library().Mechanism.EDDSA))


def parse_address(uri: str) -> Address:
    """Return where the key is that *uri* names: ``pkcs11:token=LABEL;object=NAME?module-path=FILE``.

    Raises:
        HubError: ``officer-device``.
    """
    path, _, query = uri.removeprefix(SCHEME).partition("?")
    pairs = [one.partition("=") for one in (*path.split(";"), *query.split("&")) if one]
    parts = {name: unquote(value) for name, _, value in pairs}
    known = {"module-path", "token", "object"}
    if (
        not uri.startswith(SCHEME)
        or set(parts) - {"type"} != known
        or not all(parts.values())
        or len(pairs) != len(parts)
    ):
        raise HubError(
            "officer-device",
            "a device's key is named by its token, its object and the device's module",
            "write pkcs11:token=LABEL;object=NAME?module-path=FILE",
        )
    return Address(parts["module-path"], parts["token"], parts["object"])


@contextmanager
def open_key(uri: str, pin: str) -> Iterator[DeviceKey]:
    """Open the key that *uri* names, for as long as the block lasts.

    Raises:
        HubError: ``officer-device``; the device, the PIN or the key isn't there.
    """
    pkcs11, address = _library(), parse_address(uri)
    with _open(address, pin, writing=False) as session:
        with _failing():
            private = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=address.name)
            public = session.get_key(object_class=pkcs11.ObjectClass.PUBLIC_KEY, label=address.name)
            raw = bytes(public[pkcs11.Attribute.EC_POINT])
        yield DeviceKey(private, _verifying(raw))


def make_key(uri: str, pin: str) -> VerifyingKey:
    """Make a key on the device, which keeps it, under the name in *uri*; return its public half.

    Raises:
        HubError: ``officer-device``; also where there is a key of that name.
    """
    pkcs11, address = _library(), parse_address(uri)
    with _open(address, pin, writing=True) as session:
        named = {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY, pkcs11.Attribute.LABEL: address.name}
        with _failing():
            known = list(session.get_objects(named))
        if known:
            raise HubError(
                "officer-device", "the device has a key of that name", "choose another name: it is not overwritten"
            )
        with _failing():
            curve = session.create_domain_parameters(
                pkcs11.KeyType.EC_EDWARDS, {pkcs11.Attribute.EC_PARAMS: _CURVE}, local=True
            )
            public, _ = curve.generate_keypair(
                mechanism=pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN, store=True, label=address.name
            )
            return _verifying(bytes(public[pkcs11.Attribute.EC_POINT]))


def _verifying(point: bytes) -> VerifyingKey:
    # Some devices give the 32 bytes themselves, others wrap them as a DER OCTET STRING.
    return VerifyingKey(point[2:] if len(point) == _RAW + 2 and point[:2] == b"\x04\x20" else point)


def _library() -> Any:
    try:
        import pkcs11
    except ImportError as error:
        raise HubError(
            "officer-device", "nothing here speaks to devices", "install safeguarding-hub[pkcs11]"
        ) from error
    return pkcs11


@contextmanager
def _open(address: Address, pin: str, *, writing: bool) -> Iterator[Any]:
    with _failing():
        token = _library().lib(address.module).get_token(token_label=address.token)
        session = token.open(user_pin=pin, rw=writing)
    with session:
        yield session


@contextmanager
def _failing() -> Iterator[None]:
    """Say what a device says as an error of ours: by its name, as a device's text may hold anything."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        # PKCS11Error is a RuntimeError.
        raise HubError(
            "officer-device", f"the device didn't do it: {type(error).__name__}", "check module, token, PIN and key"
        ) from error
