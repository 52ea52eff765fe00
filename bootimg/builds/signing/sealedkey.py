"""The form in which `cosign generate-key-pair` encrypts a private key.

It is a JSON object of go-securesystemslib (its package `encrypted`): scrypt makes a key of the password, and
NaCl's secretbox encrypts a PKCS #8 key with it.
"""

from __future__ import annotations

import base64
import hashlib

from bootimg.sizes import MIB
from bootimg.untrusted.base64field import read_base64
from bootimg.untrusted.jsonfile import parse_object

_MOST_WORK = 1 << 24
"""The largest product of scrypt's parameters: 32 times what cosign asks for."""


def open_sealed(body: bytes, password: bytes) -> bytes:
    """The PKCS #8 key in the body of cosign's PEM; ValueError, Malformed."""
    from nacl.exceptions import CryptoError
    from nacl.secret import SecretBox

    document = parse_object(base64.b64decode(body, validate=False))
    kdf, cipher = document.nested("kdf"), document.nested("cipher")
    kdf.expect("name", "scrypt")
    cipher.expect("name", "nacl/secretbox")
    params = kdf.nested("params")
    n, r, p = (params.needed(name).number(1, 1 << 20) for name in ("N", "r", "p"))
    if n * r * p > _MOST_WORK:
        raise ValueError("the password takes too long")
    key = hashlib.scrypt(password, salt=read_base64(kdf, "salt"), n=n, r=r, p=p, maxmem=512 * MIB, dklen=32)
    try:
        return SecretBox(key).decrypt(read_base64(document, "ciphertext"), read_base64(cipher, "nonce"))
    except CryptoError as error:
        raise ValueError(str(error)) from None
