"""Imports point down only, `app -> ui -> pipelines -> models`, and what must never be called is not called anywhere."""

from __future__ import annotations

import ast
import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.smoke

ROOT = Path(__file__).parent.parent
LAYERS = ("models", "pipelines", "ui")
NETWORKS = {"torch", "torchvision", "diffusers", "transformers", "accelerate", "safetensors", "controlnet_aux", "timm", "spandrel"}
PAGE = {"gradio", "gradio_client", "fastapi", "starlette", "uvicorn"}
FORBIDDEN = {
    "models": {"pipelines", "ui", "app", "tests", *PAGE},
    "pipelines": {"ui", "app", "tests", *PAGE},
    "ui": {"models.starter", "app", "tests", *NETWORKS},
}


# Top down: what stands in a layer imports only what stands below it there.
PACKAGES = {
    "models": [
        "__init__",
        "starter",
        "loading",
        "control",
        "patches",
        "networks",
        "library",
        "downloads",
        "identify",
        "upscalers",
        "kits",
        "tensors",
        "memory",
        "families",
        "diffusion_model",
        "video_model",
        "files",
        "names",
        "safe_text",
        "json_values",
        "errors",
    ],
    "pipelines": [
        "__init__",
        "studio",
        "assembly",
        "drawing_devices",
        "cluster",
        "runtime",
        "services",
        "inside",
        "tasks",
        "jobs",
        "gallery",
        "people",
        "job_book",
        "steps",
        "control",
        "denoising",
        "depth",
        "grids",
        "resolving",
        "presets",
        "metadata",
        "programs",
        "prompts",
        "completion",
        "wildcards",
        "preprocessors",
        "details",
        "credentials",
        "images",
        "requests",
        "samplers",
    ],
    "ui": ["__init__", "server", "tabs", "routes", "parts", "door", "messages", "gradio_types", "toasts", "colours", "gradio_import"],
}
# Whatever in these is imported, torch is not: the page and other programs ask them before the libraries are there.
TORCH_FREE = [
    *(f"models.{name}" for name in ["identify", "library", "families", "kits"]),
    *(
        f"pipelines.{name}"
        for name in (
            "requests",
            "wildcards",
            "completion",
            "programs",
            "metadata",
            "presets",
            "resolving",
            "grids",
            "images",
            "credentials",
            "details",
            "depth",
            "steps",
            "job_book",
            "gallery",
            "people",
            "jobs",
            "services",
            "cluster",
        )
    ),
    *(f"ui.{name}" for name in ["tabs", "routes", "parts", "door"]),
]


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def application() -> list[Path]:
    return [*sources(*LAYERS, "packages"), ROOT / "app.py", ROOT / "run.py"]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports_of(code: str | ast.AST, package: tuple[str, ...], when_run: bool = False) -> list[str]:
    """Every module that the code imports, anywhere in it, by its full name. `package` is where the code lies.

    `when_run`: without what is imported for the type checker alone.
    """
    found: list[str] = []
    for node in walk(ast.parse(code) if isinstance(code, str) else code, when_run):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*start, *filter(None, [node.module])))
            found += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return found


def walk(node: ast.AST, when_run: bool) -> Iterator[ast.AST]:
    """All nodes below this one that can hold a statement, and itself."""
    yield node
    checked = when_run and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    held = node.orelse if checked and isinstance(node, ast.If) else ast.iter_child_nodes(node)
    for child in held:
        if not isinstance(child, ast.expr):
            yield from walk(child, when_run)


def is_forbidden(layer: str, module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in FORBIDDEN[layer])


def breaches(layer: str, path: Path) -> list[str]:
    modules = imports_of(tree_of(path), path.relative_to(ROOT).parent.parts)
    return [f"{name_of(path)} imports {module}" for module in modules if is_forbidden(layer, module)]


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_down_only(layer: str) -> None:
    assert [breach for path in sources(layer) for breach in breaches(layer, path)] == []


@pytest.mark.parametrize(
    "line", ["import pipelines.job_book.book", "from pipelines import jobs", "from ui.parts.form import Form", "import gradio as gr"]
)
def test_an_import_upwards_would_be_found(line: str) -> None:
    assert [module for module in imports_of(f"def late():\n    {line}", ("models",)) if is_forbidden("models", module)]


def test_an_import_relative_to_a_package_is_resolved() -> None:
    assert "ui.parts.form" in imports_of("from ..parts.form import Form", ("ui", "tabs"))
    assert "ui.tabs.txt2img" in imports_of("from . import txt2img", ("ui", "tabs"))


# ------------------------------------------------------------------------------------------------ packages within a layer


def package_of(module: str) -> str:
    """`models.library.scan` -> `library`; what lies in the layer itself is a package of its own; the layer is `__init__`."""
    return [*module.split("."), "__init__"][1]


def upward(layer: str, path: Path, code: str | ast.AST) -> list[str]:
    """The imports within a layer that do not point down."""
    order = PACKAGES[layer]
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    modules = [name for name in imports_of(code, path.relative_to(ROOT).parent.parts, when_run=True) if name.split(".")[0] == layer]
    own = order.index(package_of(module))
    # A name that a layer's own __init__ offers is no package, and nothing in the layer takes one from there but by its package.
    return [f"{module} imports {name}" for name in modules if package_of(name) in order[:own] and package_of(name) != "__init__"]


@pytest.mark.parametrize("layer", LAYERS)
def test_packages_import_downwards_too(layer: str) -> None:
    assert [breach for path in sources(layer) for breach in upward(layer, path, tree_of(path))] == []


@pytest.mark.parametrize("layer", LAYERS)
def test_every_package_has_its_place_in_the_order(layer: str) -> None:
    found = {package_of(".".join(path.relative_to(ROOT).with_suffix("").parts)) for path in sources(layer)}
    assert sorted(found | {"__init__"}) == sorted({*PACKAGES[layer], "__init__"})


def test_no_package_lies_deeper_than_the_third_level() -> None:
    assert [name_of(path) for path in sources(*LAYERS) if len(path.relative_to(ROOT).parts) > 3 and "starter" not in path.parts] == []


@pytest.mark.parametrize(
    "line",
    ["from pipelines.jobs.worker import Worker", "from pipelines import studio", "def late():\n    import pipelines.tasks.txt2img"],
)
def test_an_import_of_a_package_above_would_be_found(line: str) -> None:
    assert upward("pipelines", ROOT / "pipelines" / "requests" / "request.py", line)
    assert (
        upward("pipelines", ROOT / "pipelines" / "requests" / "request.py", f"if TYPE_CHECKING:\n    {line.splitlines()[-1].strip()}") == []
    )


# ------------------------------------------------------------------------------------------------ the page is there at once


def modules_of(package: str) -> list[str]:
    files = sorted((ROOT / package.replace(".", "/")).rglob("*.py"))
    return [package, *(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files if path.stem not in {"__init__", "make"})]


def modules_after(statement: str) -> set[str]:
    """The top names of all modules that are loaded once a new Python has run the statement."""
    code = f"{statement}\nimport sys; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


HEAVY = {"torch", "diffusers", "transformers"}
READS_PICTURES = ["pipelines.jobs.outputs", "pipelines.metadata.infotext", "pipelines.requests.request", "pipelines.jobs.events"]
# What is imported one after another, and what has not been imported when it is there.
IMPORTED = [
    *((name, NETWORKS | PAGE) for name in READS_PICTURES),
    ("pipelines", NETWORKS),
    *((name, HEAVY) for package in TORCH_FREE for name in modules_of(package)),
    *((name, HEAVY) for name in ("ui", "ui.server")),
]
IMPORTING = """
import importlib, json, sys
for name, without in json.loads(sys.argv[1]):
    importlib.import_module(name)
    if found := {each.split(".")[0] for each in sys.modules} & set(without):
        print(name, "imports", *sorted(found))
        break
"""


def brought_by(imported: list[tuple[str, set[str]]]) -> str:
    """The first of these modules with which a new Python has what it should be without; "" when none has."""
    told = json.dumps([(name, sorted(without)) for name, without in imported])
    done = subprocess.run([sys.executable, "-c", IMPORTING, told], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_reads_pictures_needs_no_gradio_and_nothing_that_the_page_imports_is_torch() -> None:
    assert brought_by(IMPORTED) == ""


def test_a_module_that_brings_what_it_should_not_would_be_found() -> None:
    assert brought_by([("json", HEAVY), ("calendar", {"calendar"})]).split() == ["calendar", "imports", "calendar"]


# ------------------------------------------------------------------------------------------------ what is never called


def calls(path: Path) -> Iterator[tuple[int, str, ast.Call]]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            yield node.lineno, called(node.func), node


def called(function: ast.expr) -> str:
    """Like "torch.load"; "" for what is no name."""
    if isinstance(function, ast.Attribute):
        return f"{called(function.value)}.{function.attr}"
    return function.id if isinstance(function, ast.Name) else ""


def has(call: ast.Call, keyword: str, value: bool) -> bool:
    return any(item.arg == keyword and isinstance(item.value, ast.Constant) and item.value.value is value for item in call.keywords)


def is_dangerous(name: str, call: ast.Call) -> bool:
    """Runs what a file or a person says: pickles, code from a model folder, a shell, an expression."""
    named = name in {"eval", "exec", "os.system", "os.popen", "pickle.load", "pickle.loads", "marshal.loads", "dill.load", "joblib.load"}
    switched_on = any(has(call, keyword, True) for keyword in ("allow_pickle", "trust_remote_code", "shell"))
    torch_load = name == "torch.load" and not has(call, "weights_only", True)
    return named or switched_on or torch_load or has(call, "weights_only", False)


def dangers(path: Path) -> list[str]:
    return [f"{name_of(path)}:{line} {name}" for line, name, call in calls(path) if is_dangerous(name, call)]


def test_no_file_is_trusted_with_code() -> None:
    assert [danger for path in application() for danger in dangers(path)] == []


@pytest.mark.parametrize(
    "code",
    [
        "torch.load(path, weights_only=False)",
        "torch.load(path)",
        "pickle.load(file)",
        "np.load(path, allow_pickle=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "subprocess.run(text, shell=True)",
        "eval(text)",
    ],
)
def test_a_dangerous_call_would_be_found(code: str) -> None:
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    assert is_dangerous(called(call.func), call)


@pytest.mark.parametrize("code", ["model.eval()", "torch.load(path, weights_only=True)", "subprocess.run(command)", "np.load(path)"])
def test_a_harmless_call_is_not(code: str) -> None:
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    assert not is_dangerous(called(call.func), call)


def test_no_module_keeps_state_through_global() -> None:
    trees = {name_of(path): tree_of(path) for path in application()}
    assert [name for name, tree in trees.items() if any(isinstance(node, ast.Global) for node in ast.walk(tree))] == []


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "shared", "common", "helpers", "misc"}
    assert [name_of(path) for path in application() if path.stem in drawers or path.parent.name in drawers] == []
