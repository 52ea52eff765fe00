"""Sigstore bundles with a signed in-toto statement (docs.sigstore.dev/about/bundle, version 0.3).

The statement is in a DSSE envelope (github.com/secure-systems-lab/dsse).  A hint names the key; there is no
certificate and no entry of a transparency log.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from bootimg.builds.provenance.statement import MEDIA_TYPE
from bootimg.builds.signing.cosignkey import PrivateKey, PublicKey
from bootimg.sizes import MIB
from bootimg.untrusted.base64field import read_base64
from bootimg.untrusted.jsonfile import parse_object

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
LIMIT = 128 * MIB


@dataclass(frozen=True, slots=True)
class Bundle:
    """A statement's bytes, the signature of its envelope, and the hint of the key."""

    payload: bytes
    signature: bytes
    hint: str

    def dump(self) -> bytes:
        """The bytes of its file."""
        document = {
            "mediaType": BUNDLE_TYPE,
            # Some readers require keys that the specification lets one omit: the list and keyid.
            "verificationMaterial": {"publicKey": {"hint": self.hint}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": base64.b64encode(self.payload).decode(),
                "payloadType": MEDIA_TYPE,
                "signatures": [{"sig": base64.b64encode(self.signature).decode(), "keyid": ""}],
            },
        }
        return json.dumps(document).encode() + b"\n"

    def is_signed_by(self, key: PublicKey) -> bool:
        """Whether the signature is the key's."""
        return key.verifies(self.signature, pre_authentication(MEDIA_TYPE, self.payload))


def sign_statement(payload: bytes, key: PrivateKey) -> Bundle:
    """A bundle of a statement's bytes, signed with the key."""
    return Bundle(payload, key.sign(pre_authentication(MEDIA_TYPE, payload)), key.public.hint)


def parse_bundle(data: bytes) -> Bundle:
    """The bundle in a file's bytes; `Malformed` for anything else, and for several signatures."""
    document = parse_object(data, limit=LIMIT)
    document.expect("mediaType", BUNDLE_TYPE)
    envelope = document.nested("dsseEnvelope")
    envelope.expect("payloadType", MEDIA_TYPE)
    signatures = envelope.objects("signatures")
    if len(signatures) != 1:
        raise envelope.at("signatures").error(f"has {len(signatures)} signatures, not one")
    hint = document.nested("verificationMaterial").nested("publicKey").take("hint", str)
    return Bundle(read_base64(envelope, "payload"), read_base64(signatures[0], "sig"), hint or "")


def pre_authentication(kind: str, payload: bytes) -> bytes:
    """What is signed of an envelope: DSSE's pre-authentication encoding."""
    name = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)
