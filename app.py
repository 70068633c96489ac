"""Starts the studio: arguments in, parts joined, server up. The only file that knows every layer."""

from __future__ import annotations

import argparse
import os
import secrets
import socket
import sys
import webbrowser
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.library.catalog import Catalog
    from pipelines.cluster.room import Room
    from pipelines.drawing_devices import DevicesAsked, DrawingDevices
    from pipelines.job_book.book import JobBook
    from pipelines.job_book.folder_lock import FolderLock
    from pipelines.jobs.wanted import Here
    from pipelines.studio import Studio
    from ui.server import Door

HERE = Path(__file__).parent
STARTER, WEIGHTS = HERE / "models" / "starter", HERE / "models" / "weights"
LOOPBACK = "127.0.0.1"
GUEST_DISK = 20  # GB: some 40,000 pictures of 512 x 512
APART = 100  # GB: a dozen checkpoints of SDXL
STEPS = 2  # GB: of some 800 pictures of 512 x 512 in 20 steps


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    options.outputs_dir = options.outputs_dir.expanduser().resolve()
    stay_offline()
    from models.errors import UserError
    from pipelines.job_book.folder_lock import FolderLock
    from ui.door.log_lines import open_log

    open_log()

    lock = FolderLock()
    try:
        lock.take(options.outputs_dir)  # before anything in the folder is touched
        keep_uploads(options.outputs_dir / ".uploads")
        run(options, lock)
    except UserError as error:
        print(f"\n{error}\n", file=sys.stderr)
        return 1
    finally:
        lock.release()
    return 0


def run(options: argparse.Namespace, lock: FolderLock) -> None:
    """Joins the parts and answers until Ctrl+C."""
    from models.library.catalog import Catalog
    from pipelines.completion.tag_lists import TagFolders
    from pipelines.drawing_devices import DrawingDevices
    from pipelines.job_book.book import JobBook
    from pipelines.jobs.outputs import Outputs
    from pipelines.studio import Studio
    from pipelines.wildcards.folders import WildcardFolders

    outputs = Outputs(options.outputs_dir)
    outputs.sweep()
    folders = [WEIGHTS, *options.models_dir]
    catalog = Catalog(STARTER, folders, options.outputs_dir / ".library")
    catalog.rescan()  # in the background, while the page is built
    book = JobBook(options.outputs_dir / "studio.db", options.outputs_dir, options.rebuild_book, lock)
    here = own_folders(options, folders, catalog, book)
    devices = DrawingDevices(here, folders, options.outputs_dir, devices_asked(options))
    studio = Studio(
        catalog, outputs, book, devices.open_first, WEIGHTS, here.inputs, here.annotators, guest_disk=int(options.guest_disk * 1e9),
        wildcards=WildcardFolders(folders), tags=TagFolders(folders), steps=here.steps, further=devices.further,
    )  # fmt: skip
    door, host = reach(options)
    door = certified(options, door, host)
    if door.listens:
        door.local_name.known()  # is asked while the page is built
    answer(options, studio, door, host, clustered(options, devices, studio))


def own_folders(options: argparse.Namespace, models: Sequence[Path], catalog: Catalog, book: JobBook) -> Here:
    """What the studio draws with, without what no job or picture needs any more."""
    from pipelines.images.store import INPUTS, Inputs
    from pipelines.jobs.wanted import Here
    from pipelines.preprocessors.annotators import Annotators
    from pipelines.steps.store import KeptSteps

    inputs = Inputs(options.outputs_dir / INPUTS)
    inputs.sweep(book.inputs.used())
    steps = KeptSteps(options.outputs_dir, int(options.steps_budget * 1e9))
    steps.make_room(book.rated)
    return Here(STARTER, catalog, Annotators(models, STARTER), inputs, steps)


def devices_asked(options: argparse.Namespace) -> DevicesAsked:
    from pipelines.drawing_devices import DevicesAsked

    return DevicesAsked(
        device=options.device,
        devices=options.devices,
        clustered=bool(options.ray),
        host_memory=int((options.host_memory or 0) * 1e9),
        device_memory=int((options.device_memory or 0) * 1e9),
        steps_budget=int(options.steps_budget * 1e9),
        compiles=not options.no_compile,
        apart=options.apart,
        apart_folder=options.apart_folder,
        apart_budget=int(options.apart_budget * 1e9),
    )


def clustered(options: argparse.Namespace, devices: DrawingDevices, studio: Studio) -> Room | None:
    """The computers that draw for this one by Ray, when it is asked for. Raises `UserError` where it may not be."""
    if not options.ray:
        return None
    from pipelines.cluster.entry import entry_of
    from ui.door.own_addresses import own_addresses

    entry = entry_of(options.ray, options.outputs_dir, options.token_file, options.ray_without_token, own_addresses())
    return devices.clustered(entry, studio.devices.welcome)


def answer(options: argparse.Namespace, studio: Studio, door: Door, host: str, room: Room | None) -> None:
    """Until Ctrl+C. What was begun is ended then."""
    from ui import page
    from ui.parts.theme import look
    from ui.server import create_app, serve

    def opened(port: int) -> None:
        announce(options, door, host, port)
        if room:
            print(room.invitation, flush=True)
        studio.start()  # only now: importing torch at the same time would make the page wait

    try:
        serve(create_app(studio, page, door, **look()), host, options.port, opened, door.tunnels.proxies, certificate=door.certificate)
    finally:
        door.tunnels.close()
        studio.close()
        if room:
            room.close()


def reach(options: argparse.Namespace) -> tuple[Door, str]:
    """Who may come in, and the address to answer on. Beyond this computer there is always a password."""
    from ui.door.proxy import PublicUrl, read_proxies
    from ui.door.tunnel import Tunnels
    from ui.server import Door

    host = "0.0.0.0" if options.listen and options.host == LOOPBACK else options.host
    public = PublicUrl.read(options.public_url) if options.public_url else None
    proxies = read_proxies(options.trusted_proxy)
    away = host not in (LOOPBACK, "localhost", "::1")
    if not (away or public or proxies or options.password):
        return Door(), host
    machine = socket.gethostname().lower()
    names = {machine, f"{machine.partition('.')[0]}.local"} | ({host} if away and not options.listen else set[str]())
    password = options.password or secrets.token_urlsafe(9)
    tunnels = Tunnels(sorted(proxies))
    door = Door(frozenset(names), own_address=True, password=password, listens=host, public=public, proxies=proxies, tunnels=tunnels)
    return door, host


def certified(options: argparse.Namespace, door: Door, host: str) -> Door:
    """The door with the certificate by which others are answered over HTTPS, unless nobody else is, or in the clear on purpose."""
    from models.errors import UserError
    from ui.door.own_addresses import is_own

    if bool(options.certificate) != bool(options.key):
        raise UserError("--certificate and --key go together: a certificate and its key, in PEM.")
    if options.certificate and (options.plain_http or is_own(host)):
        raise UserError("--certificate is for --listen, and not for --plain-http: this way nothing would be encrypted by it.")
    if options.plain_http or is_own(host):
        return door
    from ui.door.certificate import FOLDER, GivenCertificate, OwnCertificate
    from ui.door.own_addresses import names

    if options.certificate:
        given = GivenCertificate(options.certificate, options.key)
        return replace(door, certificate=given, hosts=door.hosts | set(given.names))
    own = OwnCertificate(options.outputs_dir / FOLDER, lambda: (*names(host), *sorted(door.hosts), "localhost", "127.0.0.1", "::1"))
    return replace(door, certificate=own)


def announce(options: argparse.Namespace, door: Door, host: str, port: int) -> None:
    """Says where the studio is, and opens it."""
    from ui.door.own_addresses import here, qr_code
    from ui.door.reach import Reach

    reached = Reach(door.listens, door.public, door.certificate, local_name=door.local_name)
    open_at = here(host, port, reached.scheme)
    print(f"\nAtelier is open at {open_at}")
    if door.password:
        if door.listens:
            door.local_name.wait(0.5)
        others = reached.others(port)
        print("\n".join(f"Others open:        {address}" for address in others))
        print(qr_code(others[0], sys.stdout) if others else "", end="")
        print(f"They need the password: {door.password}\nOr give them a link instead: “People”, at the top of the page.")
    if door.certificate and door.certificate.authority and not door.public:
        print(f"Their browsers warn once, as no public authority knows this studio: see {open_at}/certificate")
    print("Press Ctrl+C here to close it.\n", flush=True)
    if not options.no_browser:
        webbrowser.open(open_at)


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="python run.py", description="Atelier, a Stable Diffusion studio in the browser.")
    result.add_argument("--host", default=LOOPBACK, help="address of this computer to answer on; the default is this computer alone")
    result.add_argument("--port", type=int, default=7860, help="port to answer on (default 7860); 0 takes a free one")
    result.add_argument(
        "--listen", action="store_true", help="answer other computers of your network too, over HTTPS and behind a password"
    )
    result.add_argument("--password", default="", help="the password that others need; --listen makes one up if none is given")
    result.add_argument(
        "--public-url", default="", metavar="URL", help="where a proxy shows the studio, as https://name or https://name/path"
    )
    result.add_argument("--trusted-proxy", action="append", default=[], metavar="ADDRESS", help="a proxy whose word about visitors counts")
    result.add_argument("--certificate", type=Path, metavar="FILE", help="a certificate of yours for --listen, in PEM, with what signed it")
    result.add_argument("--key", type=Path, metavar="FILE", help="the key of --certificate, in PEM, without a password")
    result.add_argument("--plain-http", action="store_true", help="answer others unencrypted: behind a proxy that encrypts")
    result.add_argument("--models-dir", type=Path, action="append", default=[], metavar="FOLDER", help="a folder of models; may repeat")
    result.add_argument("--outputs-dir", type=Path, default=HERE / "outputs", metavar="FOLDER", help="where pictures go")
    result.add_argument("--rebuild-book", action="store_true", help="make the list of jobs anew from the pictures, then start")
    result.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps: where the networks run")
    several = "several of them, as cuda:0,cuda:1: each draws jobs of its own; every NVIDIA card there is, if neither is given"
    result.add_argument("--devices", default="", metavar="LIST", help=several)
    apart = "devices beside the first draw in processes of their own: one that breaks takes nothing else with it"
    result.add_argument("--apart", action="store_true", help=apart)
    folder = "as --apart, with a folder of their own: they find models in its folder models, under any name, and get what they lack"
    result.add_argument("--apart-folder", type=Path, metavar="FOLDER", help=folder)
    budget = f"room for models that each of these devices gets; {APART} if not given"
    result.add_argument("--apart-budget", type=gigabytes, default=APART, metavar="GB", help=budget)
    ray = "draw on the computers of a Ray cluster too: the address of its head, or “local” (“local:PORT”) for a cluster begun here"
    result.add_argument("--ray", default="", metavar="ADDRESS", help=ray)
    result.add_argument("--token-file", type=Path, metavar="FILE", help="the token of that cluster; the studio's own, if none is given")
    without = "take a cluster that asks for no token: anybody in its network can run programs on its computers then"
    result.add_argument("--ray-without-token", action="store_true", help=without)
    result.add_argument("--host-memory", type=float, metavar="GB", help="main memory for models; what is free decides if not given")
    result.add_argument("--device-memory", type=float, metavar="GB", help="memory of the graphics card to use; without it, what is free")
    room = f"room for the pictures of each guest, who is anybody but the owner at the machine; {GUEST_DISK} if not given, 0 for no limit"
    result.add_argument("--guest-disk", type=gigabytes, default=GUEST_DISK, metavar="GB", help=room)
    kept = f"room for the steps of pictures, from which they can be gone on; {STEPS} if not given, 0 keeps none"
    result.add_argument("--steps-budget", type=gigabytes, default=STEPS, metavar="GB", help=kept)
    plain = "run networks as they are written: on an NVIDIA card their blocks are compiled else, beside the first jobs"
    result.add_argument("--no-compile", action="store_true", help=plain)
    result.add_argument("--no-browser", action="store_true", help="do not open the page in a browser")
    return result


def gigabytes(text: str) -> float:
    """A number of gigabytes, not negative. Raises `ValueError`, which argparse words."""
    size = float(text)
    if not 0 <= size < 1e9:
        raise ValueError(text)
    return size


def keep_uploads(folder: Path) -> None:
    """What is uploaded stays with the pictures, in a folder that only this person can read. Raises `UserError` when it cannot be made."""
    from models.errors import UserError

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {folder.parent} cannot be written ({error.strerror}). Name another with --outputs-dir.") from error
    os.environ["GRADIO_TEMP_DIR"] = str(folder)


def stay_offline() -> None:
    """Before any library is imported: no telemetry, no look-ups at a model hub, no pickles by way of the environment."""
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
    os.environ.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)


if __name__ == "__main__":
    from models.memory.heap import leave_alone

    leave_alone()  # until the first device is open
    sys.exit(main())
