"""The studio's own certificate: what it is good for, when it is made anew, and who can read its key."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509

from models.errors import UserError
from ui.door.authority import fingerprint, lasts, names_of, new_authority, new_leaf
from ui.door.certificate import GivenCertificate, OwnCertificate

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


def own(folder: Path, *names: str, at: Callable[[], datetime.datetime] = lambda: NOW) -> OwnCertificate:
    return OwnCertificate(folder, lambda: names, at)


def written(folder: Path, name: str = "certificate") -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())


def trusts(authority: Path, shown: ssl.SSLContext, name: str) -> bool:
    """Whether a client that trusts the authority opens a connection to `name`: OpenSSL's own word, strictly by RFC 5280."""
    client = ssl.create_default_context(cafile=str(authority))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(to_client, to_server, server_hostname=name), shown.wrap_bio(to_server, to_client, server_side=True)]
    for _ in range(6):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError:
                return False
    return ends[0].version() is not None


def test_who_trusts_the_authority_opens_all_names_and_addresses_and_none_besides(tmp_path: Path) -> None:
    names = ("192.168.1.5", "myhost", "myhost.local", "fd00::5", "localhost", "203.0.113.7")
    shown = own(tmp_path, *names).context("127.0.0.1")
    assert [name for name in (*names, "127.0.0.1") if not trusts(tmp_path / "authority.pem", shown, name)] == []
    assert [name for name in ("192.168.1.6", "other.local", "example.org") if trusts(tmp_path / "authority.pem", shown, name)] == []


def test_a_stolen_authority_vouches_for_no_site_of_the_internet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own maker signs no such name, and what another program signs with its key is refused."""
    thief = own(tmp_path, "myhost")
    assert names_of(written(tmp_path)) == ["myhost"]
    monkeypatch.setattr("ui.door.authority.signs", lambda *_: True)
    stolen = new_leaf(thief._by, ["example.org"], NOW)
    assert names_of(stolen.certificate) == ["example.org"]
    (tmp_path / "x.pem").write_bytes(stolen.pem + stolen.key_pem)
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(tmp_path / "x.pem")
    assert not trusts(tmp_path / "authority.pem", shown, "example.org")


def test_a_restart_and_a_network_known_before_change_nothing_and_a_new_address_keeps_the_authority(tmp_path: Path) -> None:
    first = own(tmp_path, "myhost", "192.168.1.5")
    known, leaf = first.authority, written(tmp_path)
    assert own(tmp_path, "192.168.1.5", "MyHost").authority == known and written(tmp_path) == leaf
    moved = own(tmp_path, "10.0.0.7", "myhost")
    assert moved.authority == known and set(names_of(written(tmp_path))) == {"10.0.0.7", "myhost", "192.168.1.5"}
    leaf = written(tmp_path)
    assert own(tmp_path, "192.168.1.5", "myhost").authority == known and written(tmp_path) == leaf


def test_a_connection_to_a_new_address_of_the_machine_is_shown_a_certificate_for_it(tmp_path: Path) -> None:
    running = own(tmp_path, "192.168.1.5")
    before = running.context("192.168.1.5")
    assert running.context("::ffff:192.168.1.5") is before and running.context("203.0.113.9") is before  # one that it may not sign
    assert trusts(tmp_path / "authority.pem", running.context("10.1.2.3"), "10.1.2.3")
    assert not trusts(tmp_path / "authority.pem", before, "10.1.2.3")


def test_near_its_end_a_certificate_is_renewed_while_the_studio_runs_and_the_authority_at_a_start(tmp_path: Path) -> None:
    time = [NOW]
    running = own(tmp_path, "127.0.0.1", at=lambda: time[0])
    known = running.authority
    time[0] += 360 * DAY
    running.context("127.0.0.1")
    leaf = written(tmp_path)
    time[0] += 10 * DAY
    assert lasts(written(tmp_path), time[0]) is False
    assert running.context("127.0.0.1") and lasts(written(tmp_path), time[0]) and written(tmp_path) != leaf
    assert own(tmp_path, "myhost", at=lambda: NOW + 9 * 365 * DAY).authority == known
    assert own(tmp_path, "myhost", at=lambda: NOW + 3_640 * DAY).authority != known


def test_what_is_damaged_is_made_anew_and_a_whole_authority_outlives_it(tmp_path: Path) -> None:
    known = own(tmp_path, "myhost").authority
    for name, text in (("certificate", b""), ("certificate-key", b"nonsense"), ("certificate", (tmp_path / "authority.pem").read_bytes())):
        (tmp_path / f"{name}.pem").write_bytes(text)
        assert trusts(tmp_path / "authority.pem", own(tmp_path, "myhost").context("127.0.0.1"), "myhost"), name
    assert own(tmp_path, "myhost").authority == known
    (tmp_path / "authority-key.pem").write_bytes(b"nonsense")
    fresh = own(tmp_path, "myhost")
    assert fresh.authority != known and trusts(tmp_path / "authority.pem", fresh.context("127.0.0.1"), "myhost")


def test_nobody_but_the_owner_reads_the_keys_also_where_they_were_copied_open(tmp_path: Path) -> None:
    folder = tmp_path / "certificate"
    own(folder, "myhost")
    (folder / "certificate-key.pem").chmod(0o644)
    own(folder, "myhost")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.glob("*")} == dict.fromkeys(
        ("authority.pem", "authority-key.pem", "certificate.pem", "certificate-key.pem"), 0o600
    )


def test_the_fingerprint_is_that_of_the_file_that_devices_install(tmp_path: Path) -> None:
    shown = own(tmp_path, "myhost").authority
    given = x509.load_der_x509_certificate(shown.der)
    assert fingerprint(given) == shown.fingerprint and shown.name.startswith("Atelier studio ") and "myhost" not in shown.name


def given(folder: Path, *names: str) -> tuple[Path, Path]:
    made = new_leaf(new_authority(names, NOW), names, NOW)
    certificate, key = folder / "mine.pem", folder / "mine-key.pem"
    certificate.write_bytes(made.pem)
    key.write_bytes(made.key_pem)
    return certificate, key


def test_a_certificate_of_the_owners_names_the_studio_and_is_read_again_when_it_was_renewed(tmp_path: Path) -> None:
    files = given(tmp_path, "studio.example.org", "10.0.0.1")
    mine = GivenCertificate(*files)
    assert (mine.authority, mine.names) == (None, ["studio.example.org"])
    before = mine.context("127.0.0.1")
    assert mine.context("127.0.0.1") is before
    files[0].write_bytes(b"half")
    assert mine.context("127.0.0.1") is before
    given(tmp_path, "studio.example.org")
    assert mine.context("127.0.0.1") is not before


def test_what_is_no_certificate_is_told_in_a_sentence(tmp_path: Path) -> None:
    certificate, key = given(tmp_path, "studio.example.org")
    (tmp_path / "nonsense.pem").write_text("nonsense")
    other = new_authority([], NOW)
    (tmp_path / "other-key.pem").write_bytes(other.key_pem)
    for pair in (
        (tmp_path / "none.pem", key),
        (tmp_path / "nonsense.pem", key),
        (certificate, tmp_path / "other-key.pem"),
        (key, certificate),
    ):
        with pytest.raises(UserError, match="--certificate and --key take"):
            GivenCertificate(*pair)
