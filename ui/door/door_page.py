"""The page at the door, in the house's look: asks for the password, or a name of who was invited, or says that there is no way in."""

from __future__ import annotations

from html import escape

from ui.colours import DARK, LIGHT, colours

STYLE = """
:root { color-scheme: light dark; LIGHT }
@media (prefers-color-scheme: dark) { :root { DARK } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--paper); color: var(--ink);
  font: 15px/1.5 Inter, system-ui, sans-serif; padding: 1.5rem; }
main { width: 100%; max-width: 22rem; background: var(--sheet); border: 1px solid var(--line); border-radius: 18px;
  padding: 2.2rem; box-shadow: 0 12px 40px rgb(30 20 10 / 10%); }
h1 { font: 600 2.1rem/1.1 Fraunces, Georgia, serif; letter-spacing: -.01em; margin: 0 0 .4rem; }
p { margin: 0 0 1.5rem; color: var(--quiet); }
label { display: block; font-size: .9rem; margin-bottom: .35rem; }
input, button { width: 100%; font: inherit; padding: .65rem .8rem; border-radius: 11px; border: 1px solid var(--edge); }
input { background: var(--paper); color: var(--ink); }
input + label { margin-top: .9rem; }
small { display: block; margin-top: 1.2rem; color: var(--quiet); font-size: .85rem; line-height: 1.5; }
button { margin-top: 1rem; background: var(--strong); color: var(--on); border-color: transparent; font-weight: 600; cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
small a { color: inherit; }
[role=alert] { margin: 1rem 0 0; color: var(--ink); }
""".replace("LIGHT", colours(LIGHT)).replace("DARK", colours(DARK))


PASSWORD = """<form method="post" action="login">
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required autofocus{invalid}>
<label for="name">Your name, for the others</label>
<input id="name" name="name" autocomplete="nickname" maxlength="40">
<button>Enter</button>{alert}
</form>"""
NAME = """<form method="post" action="login">
<label for="name">What is your name?</label>
<input id="name" name="name" autocomplete="nickname" maxlength="40" required autofocus{invalid}>
<button>Come in</button>{alert}
</form>"""
GO_ON = """<form method="post" action="login"><input type="hidden" name="name" value="-">
<button autofocus>Go on here</button>{alert}
</form>"""
NOTHING = """{alert}"""


def _page(words: str, form: str, problem: str, faces: str, small: str = "") -> str:
    """`words`, `small`: text, not markup. `form`: one of those above."""
    alert = f'<p role="alert" id="problem">{escape(problem)}</p>' if problem else ""
    invalid = ' aria-invalid="true" aria-describedby="problem"' if problem else ""
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<title>Atelier</title>
<style>{faces}{STYLE}</style></head>
<body><main>
<h1>Atelier</h1>
<p>{escape(words)}</p>
{form.format(alert=alert, invalid=invalid)}{f"<small>{escape(small)}</small>" if small else ""}
</main></body>
</html>"""


def password_page(problem: str = "", faces: str = "") -> str:
    return _page("This studio asks for its password.", PASSWORD, problem, faces, "Were you given a link? Open that instead.")


def name_page(may: str, problem: str = "", faces: str = "") -> str:
    """`may`: what the link lets people do, as in "You are invited to draw here."."""
    small = "No account is needed. This browser will know you, and your pictures stay yours."
    return _page(f"You are invited to {may} here.", NAME, problem, faces, small)


def go_on_page(name: str, problem: str = "", faces: str = "") -> str:
    """For the second device of somebody."""
    return _page(f"Go on here as {name}, with your pictures?", GO_ON, problem, faces)


def closed_page(problem: str = "", faces: str = "") -> str:
    return _page("This studio is open to those who have a link. Ask its owner for one.", NOTHING, problem, faces)


def with_warning(page: str, address: str) -> str:
    """For who came past a browser's warning: a line that leads to the page about it."""
    line = f'<small>Did your browser warn you? <a href="{escape(address)}">Why, and how to end it</a></small>'
    return page.replace("</main>", f"{line}\n</main>")
