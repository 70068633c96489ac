"""The page about the certificate, for whom a browser has warned: why it did, and how a device comes to trust the studio."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ui.door.door_page import STYLE

if TYPE_CHECKING:
    from ui.door.certificate import Authority

FILE = "certificate/studio.crt"  # below the studio's own address
PAIRS = 8  # of the fingerprint in a line
MORE_STYLE = """
body { place-items: start center; }
main { max-width: 38rem; margin: 4vh 0; }
h1 { margin-bottom: .9rem; }
p, ol { margin: 0 0 1rem; color: var(--quiet); }
h2 { font: 600 1.05rem/1.3 Inter, system-ui, sans-serif; margin: 1.8rem 0 .5rem; }
b, h2, summary { color: var(--ink); }
code { display: block; margin: .4rem 0 1rem; padding: .8rem 1rem; border: 1px solid var(--line); border-radius: 11px;
  background: var(--paper); color: var(--ink); font: 13px/1.7 ui-monospace, monospace; letter-spacing: .02em; white-space: pre-wrap; }
.go { display: inline-block; padding: .65rem 1.1rem; border-radius: 11px; background: var(--strong); color: var(--on);
  font-weight: 600; text-decoration: none; }
details { border-top: 1px solid var(--line); }
details:last-of-type { border-bottom: 1px solid var(--line); }
summary { display: flex; justify-content: space-between; padding: .75rem .2rem; cursor: pointer; font-weight: 500; list-style: none; }
summary::-webkit-details-marker { display: none; }
summary::after { content: "+"; color: var(--quiet); }
[open] > summary::after { content: "\\2212"; }
ol { padding-left: 1.3rem; } li { margin-bottom: .35rem; }
a { color: inherit; }
.back { margin: 1.4rem 0 0; }
"""
STEPS: dict[str, tuple[str, ...]] = {
    "iPhone and iPad": (
        "Open this page in Safari, press the button above, and allow the download.",
        "In Settings, open General, then VPN & Device Management, and install the profile that waits there.",
        "Still in General, open About, then Certificate Trust Settings, and switch it on.",
    ),
    "Android": (
        "Press the button above; the file goes to Downloads.",
        "In Settings, search for “CA certificate”, choose to install one, agree, and pick the file.",
        "Android says from then on that the network may be watched. It says so of every certificate that one installs oneself.",
    ),
    "Windows": (
        "Press the button above, open the file, and choose Install Certificate, for the current user.",
        "Place it in the store “Trusted Root Certification Authorities”, then start the browser again.",
    ),
    "Mac": (
        "Press the button above and open the file: it goes into Keychain Access.",
        "Open it there, and below Trust choose “Always Trust”.",
    ),
    "Firefox": (
        "Press the button above. In Firefox's settings, search for “certificates”, and open View Certificates.",
        "Under Authorities, import the file, and let it identify websites.",
    ),
    "Chrome on Linux": (
        "Press the button above. In Chrome's settings, search for “certificates”, and open the installed ones.",
        "Import the file among those that you trust.",
    ),
}  # fmt: skip


def trust_page(authority: Authority, faces: str = "") -> str:
    """Nothing in it tells of who uses the studio, or of where it runs."""
    steps = "".join(f"<details><summary>{escape(name)}</summary><ol>{_items(items)}</ol></details>" for name, items in STEPS.items())
    return _page(
        f"""<h1>Why the browser warns</h1>
<p>What you send to this studio and what it sends to you is encrypted. No public authority vouches for addresses in a network at home
or at work, so the studio vouches for itself, and your browser says that it does not know it yet.</p>
<p>You may go on past the warning, as you did to come here. To end it, have this device trust the studio: the page is quicker then, as
browsers keep nothing of a place that they warn of.</p>
<h2>First compare</h2>
<p>The owner sees the same figures under “People”. If theirs are others, somebody stands between you: do not go on.</p>
<code>{_in_lines(authority.fingerprint)}</code>
<a class="go" href="{FILE}" download>Get the certificate</a>
<h2>Then trust it</h2>
<p>It is called <b>{escape(authority.name)}</b>. It can vouch for private networks alone, for no site on the internet. Remove it where you
have put it when you come here no more.</p>
{steps}
<p class="back"><a href="./">Back to the studio</a></p>""",
        faces,
    )


def no_trust_page(faces: str = "") -> str:
    words = "This studio has no certificate of its own, so there is none to trust."
    return _page(f'<h1>No certificate</h1><p>{words}</p><p class="back"><a href="./">Back to the studio</a></p>', faces)


def _page(content: str, faces: str) -> str:
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<title>Why the browser warns - Atelier</title>
<style>{faces}{STYLE}{MORE_STYLE}</style></head>
<body><main>
{content}
</main></body>
</html>"""


def _items(steps: tuple[str, ...]) -> str:
    return "".join(f"<li>{escape(step)}</li>" for step in steps)


def _in_lines(fingerprint: str) -> str:
    pairs = fingerprint.split(":")
    return "\n".join(" ".join(pairs[start : start + PAIRS]) for start in range(0, len(pairs), PAIRS))
