"""The chain by which this installation signs: a root, whose key nobody keeps, and the one leaf that it has signed. ES256.

C2PA 2.4, 14.5: a leaf that signs itself is refused, and one needs the key usage "digital signature" and the extended one "e-mail
protection". It names nobody: a random number tells installations apart. Without a trusted clock's stamp a signature holds as long as its
certificate does, so that is long.
"""

from __future__ import annotations

import datetime
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

YEARS = 20
DAY = datetime.timedelta(days=1)
NAME = "Atelier"


@dataclass(frozen=True, slots=True)
class Chain:
    """`pem`: the leaf and the root, in this order; `root` alone is what signatures are known by. `key`: the leaf's, PKCS 8 in PEM."""

    pem: bytes
    root: bytes
    key: bytes


def new_chain(now: datetime.datetime) -> Chain:
    root_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    number = secrets.token_hex(4)
    issuer, subject = _name(f"Installation {number}, root"), _name(f"Installation {number}")
    root = _sign(_certificate(issuer, issuer, root_key.public_key(), now), root_key, root_key, authority=True)
    leaf = _sign(_certificate(subject, issuer, leaf_key.public_key(), now), leaf_key, root_key, authority=False)
    key = leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Chain(leaf.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM), root.public_bytes(Encoding.PEM), key)


def kept_chain(path: Path) -> Chain | None:
    """None where there is none. Raises `OSError`, and `ValueError` for what is no chain whose key is the leaf's."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    leaf, root = x509.load_pem_x509_certificates(text)
    key = load_pem_private_key(text, None)
    if key.public_key() != leaf.public_key():
        raise ValueError("another leaf's key")
    pems = leaf.public_bytes(Encoding.PEM), root.public_bytes(Encoding.PEM)
    return Chain(b"".join(pems), pems[1], key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def keep(chain: Chain, path: Path) -> None:
    """One file, which its owner alone can read, there whole or not at all. Raises `OSError`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(chain.key + chain.pem)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _name(called: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, NAME), x509.NameAttribute(NameOID.COMMON_NAME, called)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime.datetime
) -> x509.CertificateBuilder:
    named = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
    return named.serial_number(x509.random_serial_number()).not_valid_before(now - DAY).not_valid_after(now + YEARS * 365 * DAY)


def _sign(
    made: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey, authority: bool
) -> x509.Certificate:
    usage = x509.KeyUsage(not authority, False, False, False, False, authority, False, False, False)
    made = made.add_extension(x509.BasicConstraints(authority, 0 if authority else None), critical=True)
    made = made.add_extension(usage, critical=True)
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    made = made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    if not authority:
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return made.sign(by, SHA256())
