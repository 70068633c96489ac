"""Browsers for the tests: found where they usually are, and fetched where that is ours to do."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from packages.children import SetupError, run_logged, say

ROOT = Path(__file__).resolve().parent.parent
# Without the frame of a browser around it a page costs a processor a sixth less. It is a package of its own, and not on every system.
HEADLESS, CHROMIUM = "chromium-headless-shell", "chromium"
OTHER_BROWSERS = {"firefox-esr": "firefox-esr", "WebKitWebDriver": "webkit2gtk-driver", "Xvfb": "xvfb"}  # program -> its package in Debian


def find_chromium(environment: Mapping[str, str], platform: str, which: Callable[[str], str | None]) -> str | None:
    """The path of a Chromium without windows, else of a Chromium, Chrome or Edge; the variable CHROMIUM names one outright."""
    if environment.get("CHROMIUM"):
        return environment["CHROMIUM"]
    names = (HEADLESS, CHROMIUM, "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge", "chrome", "msedge")
    found = (which(name) for name in names)
    usual = (str(path) for path in usual_browsers(environment, platform) if path.is_file())
    return next(filter(None, found), None) or next(usual, None)


def chromium_here() -> str | None:
    """That of this machine."""
    return find_chromium(os.environ, sys.platform, shutil.which)


def usual_browsers(environment: Mapping[str, str], platform: str) -> list[Path]:
    if platform == "darwin":
        names = ("Chromium", "Google Chrome", "Microsoft Edge")
        homes = (Path("/"), Path(environment.get("HOME", "/")))
        return [home / f"Applications/{name}.app/Contents/MacOS/{name}" for home in homes for name in names]
    if platform == "win32":
        folders = [environment[name] for name in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA") if name in environment]
        programs = ("Google/Chrome/Application/chrome.exe", "Chromium/Application/chrome.exe", "Microsoft/Edge/Application/msedge.exe")
        return [Path(folder) / program for folder in folders for program in programs]
    return []


def install_chromium() -> str | None:
    """Install one where that is ours to do (root on Debian); elsewhere say how, and go on without."""
    for names, package in (("Chromium", CHROMIUM), ("Chromium without windows", HEADLESS)):
        install_browsers(names, package)
    found = chromium_here()
    if not found:
        say(f"No Chromium or Chrome was found: THE BROWSER TESTS ARE SKIPPED. This installs one:\n    {chromium_command(sys.platform)}")
    return found


def install_other_browsers() -> None:
    """Those that a run of all tests tries as well (20 s, 0.5 GB). Where it is not ours to install them, their tests say how."""
    missing = [package for program, package in OTHER_BROWSERS.items() if not shutil.which(program)]
    if missing:
        install_browsers("Firefox and WebKit", "--no-install-recommends", *missing)


def install_browsers(names: str, *packages: str) -> None:
    """Does nothing but for root on Debian. What goes wrong is said: the tests can do without."""
    if not (shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0):
        return
    say(f"Fetching {names} for the browser tests...")
    try:
        apt("update")
        apt("install", "-y", *packages)
    except SetupError as error:
        say(str(error))


def apt(*arguments: str, patience: int = 600, pause: float = 1.0) -> None:
    """Waits up to `patience` times for another that installs: an earlier start that was killed has left its apt at work."""
    for turn in range(patience + 1):
        try:
            return run_logged(ROOT, ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *arguments])
        except SetupError as error:
            if turn == patience or not re.search(r"Could not get lock|Unable to lock", str(error)):
                raise
            if not turn:
                say("Another program is installing. Waiting for it...")
            time.sleep(pause)
    return None


def chromium_command(platform: str) -> str:
    commands = {"darwin": "brew install --cask google-chrome", "win32": "winget install Google.Chrome"}
    return commands.get(platform, "sudo apt install chromium")
