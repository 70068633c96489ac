"""The authority: a certificate of the studio's own, which signs those of its addresses. X.509 as RFC 5280 has it, keys on the curve P-256.

A telephone that trusts the authority should trust it for nothing but this: its name constraints (RFC 5280, 4.2.1.10) admit private
addresses and names of local networks, and of all others those that this machine had when the authority was made.
"""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ui.door.addresses import Address, parsed

DAY = datetime.timedelta(days=1)
AUTHORITY = 3_650 * DAY  # how long it is good
LEAF = 397 * DAY  # browsers take up to 825 days from an authority of one's own, and 398 from others
EARLY = 30 * DAY  # before its end a certificate is renewed
SLOW = 1 * DAY  # that the clock of a telephone may be behind
PRIVATE = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",  # RFC 1918
    "100.64.0.0/10",  # RFC 6598, of which private networks over others take theirs
    "169.254.0.0/16", "127.0.0.0/8", "::1/128", "fe80::/10", "fc00::/7",
)  # fmt: skip
LOCAL = ("localhost", "local", "lan", "home", "internal", "home.arpa")
A_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,62}(?:\.(?=[a-z0-9_]))?)*")
LONGEST = 253  # letters of a name


@dataclass(frozen=True)
class Signed:
    """A certificate and the key that goes with it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def read(cls, certificate: bytes, key: bytes) -> Signed:
        """Of two PEM texts. Raises `ValueError` for what is none, or does not go together."""
        known, secret = x509.load_pem_x509_certificate(certificate), load_pem_private_key(key, None)
        if not isinstance(secret, ec.EllipticCurvePrivateKey) or secret.public_key() != known.public_key():
            raise ValueError("the key is not that of the certificate")
        return cls(known, secret)

    @property
    def pem(self) -> bytes:
        """The public part."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def new_authority(names: Collection[str], now: datetime.datetime) -> Signed:
    """An authority for local networks and these names and addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(f"Atelier studio {_short(key)}")
    permitted = [*(x509.IPAddress(ipaddress.ip_network(each)) for each in PRIVATE), *(x509.DNSName(name) for name in LOCAL)]
    permitted += [_alone(name) for name in names if _is_name(name) and not _permits(permitted, name)]
    builder = _builder(subject, subject, key, now, AUTHORITY)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs=True), critical=True)
    builder = builder.add_extension(x509.NameConstraints(permitted, None), critical=True)
    return Signed(builder.sign(key, hashes.SHA256()), key)


def new_leaf(authority: Signed, names: Collection[str], now: datetime.datetime) -> Signed:
    """A certificate for those of the names and addresses that the authority may sign."""
    key, of = ec.generate_private_key(ec.SECP256R1()), authority.certificate
    builder = _builder(_subject("Atelier"), of.subject, key, now, min(LEAF, of.not_valid_after_utc - now))
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
    named = [_named(name) for name in names if signs(of, name)]
    builder = builder.add_extension(x509.SubjectAlternativeName(named), critical=False)
    return Signed(builder.sign(authority.key, hashes.SHA256()), key)


def canonical(name: str) -> str:
    """A name or an address as it stands in a certificate."""
    return str(parsed(name) or name.lower())


def signs(authority: x509.Certificate, name: str) -> bool:
    """Whether a certificate for this name or address may be of that authority."""
    found = authority.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees
    return _is_name(name) and _permits(found or (), name)


def names_of(leaf: x509.Certificate) -> list[str]:
    """Names and addresses, as they are written in an address of a page, without brackets."""
    found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(each.value) for each in found]


def is_of(leaf: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether that authority has signed it."""
    try:
        leaf.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def lasts(certificate: x509.Certificate, now: datetime.datetime) -> bool:
    """Whether it is good now and for a while."""
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - EARLY


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 in pairs, as browsers and telephones show it."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def name_of(certificate: x509.Certificate) -> str:
    """The common name."""
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime.datetime, good: datetime.timedelta
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number(), now - SLOW, now + good)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _short(key: ec.EllipticCurvePrivateKey) -> str:
    """Tells one studio's authority from another's in a list of them."""
    digest = x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest
    return f"{digest[:2].hex()} {digest[2:4].hex()}".upper()


def _usage(signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _is_name(name: str) -> bool:
    return parsed(name) is not None or (len(name) <= LONGEST and A_NAME.fullmatch(name) is not None)


def _named(name: str) -> x509.GeneralName:
    address = parsed(name)
    return x509.IPAddress(address) if address else x509.DNSName(name)


def _alone(name: str) -> x509.GeneralName:
    """One address as a network of its own, one name as it is."""
    address = parsed(name)
    return x509.IPAddress(ipaddress.ip_network(address)) if address else x509.DNSName(name)


def _permits(subtrees: Collection[x509.GeneralName], name: str) -> bool:
    address = parsed(name)
    if address:
        return any(address in network for network in _networks(subtrees, address))
    return any(name == each.value or name.endswith(f".{each.value}") for each in subtrees if isinstance(each, x509.DNSName))


def _networks(subtrees: Collection[x509.GeneralName], address: Address) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    for each in subtrees:
        value = each.value if isinstance(each, x509.IPAddress) else None
        if isinstance(value, (ipaddress.IPv4Network, ipaddress.IPv6Network)) and value.version == address.version:
            yield value
