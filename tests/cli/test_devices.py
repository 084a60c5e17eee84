"""Officers' keys on a real PKCS#11 token: SoftHSM, where the machine has it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from hub.errors import HubError
from hub.hardware import Address, make_key, open_key, parse_address
from keys import jws
from keys.jws import SigningKey
from tests.cli.officers import House
from tests.cli.support import run

MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)
PIN = "4711"


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the URI of a key that a new token may get."""
    module = next((one for one in MODULES if Path(one).exists()), None)
    if module is None or shutil.which("softhsm2-util") is None:
        pytest.skip(
            "NOT TESTED: keys on devices need SoftHSM, which no Python package carries: apt-get install softhsm2"
        )
    pytest.importorskip("pkcs11", reason="NOT TESTED: keys on devices need the extra pkcs11")
    tokens = tmp_path / "tokens"
    tokens.mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm2.conf"))
    _forget(module)
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", "safe", "--pin", PIN, "--so-pin", "0815"],
        check=True, capture_output=True,
    )  # fmt: skip
    return f"pkcs11:token=safe;object=officer%201;type=private?module-path={module}"


def _forget(module: str) -> None:
    """Unload *module*, which reads its configuration once."""
    import pkcs11

    pkcs11.unload(module)


def test_a_key_on_a_device_signs_what_everybody_can_verify(device: str) -> None:
    """Made there, kept there; the signature is an ordinary one."""
    public = make_key(device, PIN)
    with open_key(device, PIN) as key:
        assert key.kid == public.kid
        signed = key.sign(b'{"v":1}', jws.DIRECTORY)
    assert jws.verify(signed, public, jws.DIRECTORY) == b'{"v":1}'


def test_a_device_that_does_not_open_says_why(device: str) -> None:
    """Wrong PIN, no such key, no such token, no such module, a second key of one name."""
    make_key(device, PIN)
    for uri, pin in (
        (device, "0000"),
        (device.replace("officer%201", "nobody"), PIN),
        (device.replace("token=safe", "token=other"), PIN),
        (device.replace("libsofthsm2", "nothing"), PIN),
    ):
        with pytest.raises(HubError) as caught, open_key(uri, pin):
            pass
        assert caught.value.code == "officer-device"
        assert PIN not in caught.value.message
    with pytest.raises(HubError, match="has a key of that name"):
        make_key(device, PIN)


def test_one_officer_may_have_a_device_and_the_others_files(
    house: House,
    device: str,
) -> None:
    """Made an officer by a ceremony, and then one of two who sign."""
    secret = house.root / "pin"
    secret.write_text(f"{PIN}\n")
    secret.chmod(0o600)
    public = house.root / "device.json"
    made = run("ceremony", "key", "--key", device, "--public", str(public), "--passphrase-file", str(secret))
    assert "fingerprint: " in made.stdout
    kept = [str(house.root / name / "key.json") for name in ("ash", "birch")]
    draft, _ = house.draft("officers", "--officer", *kept, str(public), "--threshold", "2")
    house.hold(draft, ("ash", "birch"))
    after, _ = house.draft("renew", "--renew")
    (house.root / "device").mkdir()
    house.sign(after, "ash")
    house.sign_on_device(after, "device", device, secret)
    _, done = house.combine(after, ("ash", "device"))
    assert "Enough have signed" in done.stdout
    assert json.loads(public.read_bytes())["jwk"]["crv"] == "Ed25519"


def test_a_device_that_signs_wrongly_is_not_believed() -> None:
    """Its 64 bytes are checked before they go anywhere."""
    from hub.hardware import DeviceKey

    class Broken:
        def sign(self, data: bytes, *, mechanism: object) -> bytes:
            del data, mechanism
            return bytes(64)

    pytest.importorskip("pkcs11", reason="NOT TESTED: keys on devices need the extra pkcs11")
    with pytest.raises(ValueError, match="does not verify"):
        DeviceKey(Broken(), SigningKey.generate().public).sign(b"{}", jws.DIRECTORY)


@pytest.mark.parametrize(
    "uri",
    ["", "key.enc", "pkcs11:token=a;object=b", "pkcs11:token=a?module-path=m", "pkcs11:token=;object=b?module-path=m",
     "pkcs11:token=a;object=b;object=c?module-path=m", "pkcs11:token=a;object=b;serial=1?module-path=m"],
)  # fmt: skip
def test_a_key_that_is_not_named_exactly_is_refused(uri: str) -> None:
    """Which module, which token, which object: nothing is guessed."""
    with pytest.raises(HubError) as caught:
        parse_address(uri)
    assert caught.value.code == "officer-device"


def test_a_uri_names_module_token_and_object() -> None:
    """Percent-encoded as RFC 7512 has it."""
    assert parse_address("pkcs11:token=The%20safe;object=o?module-path=/m.so") == Address("/m.so", "The safe", "o")
