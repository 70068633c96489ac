"""The page's modules agree with their types and with the linter: TypeScript and Biome, as `tests/page_tools` pins them.

What they need is fetched once by `npm ci`, and again when the lock file has changed. The studio itself needs no node.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.message_types import FILE, declarations
from ui.parts.scripts import STATIC

TOOLS = Path(__file__).parent / "page_tools"
PATIENCE = 240  # seconds for npm
GIVEN = '/** @param {import("./page_types.d.ts").Given} given */\n'
ASKS = GIVEN + 'export const build = ({ server }) => server.count({ promt: "a house" });\n'
# What may go wrong, in a module of its own: (checker, module, what is said of it)
WRONG = [
    ("types", 'import { enter } from "./dom.js";\nenter("#width", 1, 2);\n', "Expected 0-2 arguments, but got 3"),
    ("types", 'import { entry } from "./dom.js";\nentry();\n', "no exported member"),
    ("types", 'import { Layer } from "./layer.js";\nconsole.assert(new Layer(1, 1).widht);\n', "Did you mean 'width'"),
    ("types", 'import { emit } from "./dom.js";\nemit("paintd", null);\n', "not assignable to parameter of type"),
    ("types", 'import { on } from "./dom.js";\non("chosen", ({ kind, from }) => kind.length + from.size);\n', "'size' does not exist"),
    ("types", ASKS, "'promt' does not exist"),
    ("lint", "const unused = 1;\n", "noUnusedVariables"),
    ("lint", "globalThis.x = atelier.forms;\n", "noUndeclaredVariables"),
    ("lint", "if (globalThis.x == 1) globalThis.x = 2;\n", "noDoubleEquals"),
]


@pytest.fixture(scope="module")
def tools() -> Path:
    """The folder of the programs."""
    npm = shutil.which("npm")
    if not npm:
        pytest.skip("no npm here: THE TYPES AND THE STYLE OF THE PAGE'S SCRIPTS ARE NOT CHECKED")
    stamp = TOOLS / "node_modules" / ".stamp"
    wanted = hashlib.sha256((TOOLS / "package-lock.json").read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=TOOLS, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, f"npm could not fetch what checks the page's scripts.\n{done.stderr[-2000:]}"
        stamp.write_text(wanted)
    return TOOLS / "node_modules" / ".bin"


def complaints(tools: Path, checker: str, folder: Path) -> str:
    """What one of the two says of the modules in a folder; "" when all is well."""
    if checker == "types":
        config = folder / "tsconfig.json" if (folder / "tsconfig.json").exists() else TOOLS / "tsconfig.json"
        command = [tools / "tsc", "--project", config]
    else:
        command = [tools / "biome", "lint", "--error-on-warnings", f"--config-path={TOOLS}", folder]
    done = subprocess.run(list(map(str, command)), cwd=TOOLS, capture_output=True, text=True, timeout=120)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("checker", ["types", "lint"])
def test_the_page_s_modules_are_sound(tools: Path, checker: str) -> None:
    assert complaints(tools, checker, STATIC) == ""


@pytest.fixture(scope="module")
def found(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Checker -> what it says of all modules, those that are wrong among them: each looks at everything once, as that takes seconds."""
    told = {}
    for checker in ("types", "lint"):
        folder = tmp_path_factory.mktemp(checker)
        for path in [*STATIC.glob("*.js"), *STATIC.glob("*.d.ts")]:
            shutil.copy(path, folder)
        (folder / "tsconfig.json").write_text(json.dumps({"extends": str(TOOLS / "tsconfig.json"), "include": ["."]}))
        for number, (whose, module, _) in enumerate(WRONG):
            if whose == checker:
                (folder / f"wrong_{number}.js").write_text(module)
        told[checker] = complaints(tools, checker, folder)
    return told


@pytest.mark.parametrize(("number", "checker", "said"), [(number, checker, said) for number, (checker, _, said) in enumerate(WRONG)])
def test_what_is_wrong_is_found(found: dict[str, str], number: int, checker: str, said: str) -> None:
    lines = re.split(r"\n(?=\S*wrong_\d+\.js)", "\n" + found[checker])
    assert [line for line in lines if f"wrong_{number}.js" in line and said in line]


def test_the_types_of_messages_are_those_of_the_server() -> None:
    assert FILE.read_text("utf-8") == declarations(), "python -m tests.support.message_types makes them anew"
