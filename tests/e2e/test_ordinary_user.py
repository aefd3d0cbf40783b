"""`parvis serve` and `dev` started by a user that is not root, and owns nothing but its data directory: what runs, how it is shut in, and
what it says that this host does not allow it. As root these tests start it by setpriv; another user starts it as itself."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import urllib.request

import pytest
from conftest import ROOT, Platform, needs_namespaces
from java_code import java_package
from packages import zip_of
from test_runtimes import BOOTSTRAP
from test_serve import TRUST, Serve

USER = 65534


@pytest.fixture(scope="module")
def as_user(binary):
    """(a program that starts the binary as an ordinary user, a folder of that user's)"""
    folder = tempfile.mkdtemp(prefix="ordinary-", dir="/tmp")  # below it all is that user's; pytest's own folders are root's alone
    start = os.path.join(folder, "parvis")
    prefix = ""
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("no setpriv on this machine")
        os.chown(folder, USER, USER)
        prefix = f"setpriv --reuid {USER} --regid {USER} --clear-groups "
    with open(start, "w") as file:
        file.write(f"#!/bin/sh\nexport HOME={folder} PARVIS_TOOLS={ROOT}/build/tools\nexec {prefix}{binary} \"$@\"\n")
    os.chmod(start, 0o755)
    yield start, folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def serve(as_user):
    start, folder = as_user
    running = Serve(start, pathlib.Path(folder) / "data")
    running.role = running.client("iam").create_role(RoleName="functions", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    yield running
    running.stop()


LOOK = {
    "nodejs22.x": ("app.js", "const fs = require('fs'); exports.handler = async () => ({ uid: process.getuid(), data: fs.existsSync('FOLDER'), status: fs.readFileSync('/proc/self/status', 'utf8'), "
                             "interfaces: Object.keys(require('os').networkInterfaces()), home: fs.existsSync('/root'), written: (() => { try { fs.writeFileSync('/var/task/x', ''); return true; } catch { return false; } })() });"),
    "python3.12": ("app.py", "import os\ndef handler(event, context): return {'uid': os.getuid(), 'data': os.path.exists('FOLDER'), 'status': open('/proc/self/status').read(), "
                             "'interfaces': os.listdir('/sys/class/net') if os.path.exists('/sys') else ['lo'], 'home': os.path.exists('/root'), 'written': os.access('/var/task', os.W_OK)}\n"),
}


@needs_namespaces
@pytest.mark.parametrize("runtime", LOOK)
def test_functions_are_shut_in(serve, runtime):
    name, text = LOOK[runtime]
    functions = serve.client("lambda", read_timeout=60)
    functions.create_function(FunctionName=f"look-{runtime[:4]}", Role=serve.role, Runtime=runtime, Handler="app.handler", Timeout=20, Code={"ZipFile": zip_of({name: text.replace("FOLDER", str(serve.folder))})})
    got = functions.invoke(FunctionName=f"look-{runtime[:4]}")
    answer = json.load(got["Payload"])
    assert "FunctionError" not in got, answer
    assert answer["uid"] == 993 and answer["data"] is False and answer["home"] is False and answer["written"] is False and set(answer["interfaces"]) <= {"lo"}, answer
    for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
        assert line in answer["status"], answer["status"]


def test_bootstraps_and_java_run(serve):
    functions = serve.client("lambda", read_timeout=60)
    functions.create_function(FunctionName="boot", Role=serve.role, Runtime="provided.al2023", Handler="x", Code={"ZipFile": zip_of({"bootstrap": BOOTSTRAP})})
    assert json.load(functions.invoke(FunctionName="boot", Payload=b'"x"')["Payload"])["got"] == "x"
    functions.create_function(FunctionName="java", Role=serve.role, Runtime="java17", Handler="app.Handlers$Streams", MemorySize=256, Timeout=10, Code={"ZipFile": java_package()})
    assert json.load(functions.invoke(FunctionName="java", Payload=b'{"n":1}')["Payload"]) == {"n": 1}


@needs_namespaces
def test_dev_runs_in_the_users_own_folder(as_user):
    start, folder = as_user
    project = folder + "/project"
    os.makedirs(project + "/src")
    with open(project + "/src/app.ts", "w") as file:
        file.write("export const handler = async (): Promise<object> => ({ statusCode: 200, body: String(process.getuid!()) });\n")
    with open(project + "/template.yaml", "w") as file:
        file.write("Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Metadata: {BuildMethod: esbuild, BuildProperties: {EntryPoints: [src/app.ts]}}\n"
                   "    Properties: {Runtime: nodejs22.x, Handler: app.handler, CodeUri: ., Events: {Get: {Type: HttpApi, Properties: {Path: /, Method: get}}}}\n")
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", f"{USER}:{USER}", project], check=True)
    data = pathlib.Path(folder) / "dev"
    data.mkdir()
    if os.geteuid() == 0:
        os.chown(data, USER, USER)
    for sandbox, uid in (("off", USER if os.geteuid() == 0 else os.geteuid()), ("on", 993)):
        platform = Platform(start, data, project, "--sandbox", sandbox)
        try:
            assert urllib.request.urlopen(platform.api(0) + "/", timeout=10).read().decode() == str(uid), platform.output()
        finally:
            platform.stop()
