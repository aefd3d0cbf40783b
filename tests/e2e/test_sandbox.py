"""Functions of `parvis serve` are shut in: they try to break each promise of docs/security.md. Needs a host that allows namespaces
and control groups; what it does not allow is skipped with the platform's own words."""
import io
import json
import os
import subprocess
import tempfile
import zipfile

import pytest
from conftest import free_port
from test_serve import TRUST, Serve

PRELUDE = "const fs = require('fs'), { execSync } = require('child_process');\nconst tried = (f) => { try { return String(f()); } catch (e) { return 'refused ' + (e.code ?? e.message); } };\n"


@pytest.fixture(scope="module")
def serve(binary, tmp_path_factory):
    os.environ["HOST_SECRET"] = "of the host"
    running = Serve(binary, tmp_path_factory.mktemp("sandbox") / "data")
    running.role = running.client("iam").create_role(RoleName="functions", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    yield running
    running.stop()


def call(serve, name, body, payload=None, **more):
    """Deploys a function whose handler is `body` and calls it: (answer, FunctionError)."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.js", f"{PRELUDE}exports.handler = async (event) => {{ {body} }};")
    functions = serve.client("lambda", read_timeout=60)
    functions.create_function(FunctionName=name, Runtime="nodejs22.x", Handler="index.handler", Role=serve.role,
                              Code={"ZipFile": code.getvalue()}, Timeout=20, **more)
    answer = functions.invoke(FunctionName=name, Payload=json.dumps(payload))
    return json.loads(answer["Payload"].read()), answer.get("FunctionError")


def test_the_hosts_files_and_the_data_directory_are_out_of_reach(serve):
    paths = [str(serve.folder / "credentials"), str(serve.folder / "session-key"), str(serve.folder / "store"), "/etc/shadow", "/root", "/home"]
    found, failed = call(serve, "files", "return event.map((p) => tried(() => fs.statSync(p).isDirectory() ? fs.readdirSync(p) : fs.readFileSync(p)));", paths)
    assert failed is None and all(answer.startswith("refused") for answer in found), found


def test_a_function_sees_its_own_code_read_only_and_no_other_functions(serve):
    answer, failed = call(serve, "code", """
        return { code: fs.readdirSync('/var/task'), change: tried(() => fs.writeFileSync('/var/task/index.js', '')), root: tried(() => fs.writeFileSync('/x', '')),
                 others: tried(() => execSync('find / -name index.js -not -path "/usr/*" -not -path "/var/runtime/*" 2>/dev/null || true')), tmp: fs.readdirSync('/tmp') };""")
    assert failed is None
    assert answer["code"] == ["index.js"] and answer["others"].split() == ["/var/task/index.js"] and answer["tmp"] == []
    assert answer["change"] == "refused EROFS" and answer["root"] == "refused EROFS"


def test_environment_processes_and_privileges(serve):
    answer, failed = call(serve, "processes", """
        return { secret: process.env.HOST_SECRET ?? null, uid: process.getuid(), processes: fs.readdirSync('/proc').filter((n) => /^[0-9]+$/.test(n)).length,
                 status: fs.readFileSync('/proc/self/status', 'utf8'), mount: tried(() => execSync('mount -t tmpfs x /tmp 2>&1')), user: tried(() => execSync('unshare -Ur true 2>&1')) };""")
    assert failed is None
    assert answer["secret"] is None and answer["uid"] == 993 and answer["processes"] < 5
    assert "CapEff:\t0000000000000000" in answer["status"] and "Seccomp:\t2" in answer["status"] and "NoNewPrivs:\t1" in answer["status"]
    assert answer["mount"].startswith("refused") and answer["user"].startswith("refused")


def test_the_sdk_reaches_the_platform_with_the_roles_credentials(serve):
    answer, failed = call(serve, "sdk", """
        const { DynamoDBClient, ListTablesCommand } = require('@aws-sdk/client-dynamodb');
        return (await new DynamoDBClient({}).send(new ListTablesCommand({}))).TableNames;""")
    assert failed is None and answer == []


def test_tmp_is_bounded_and_private(serve):
    answer, failed = call(serve, "tmp", """
        const piece = Buffer.alloc(16 << 20); let written = 0;
        const end = tried(() => { for (;;) { fs.appendFileSync('/tmp/big', piece); written += piece.length; } });
        return { written, end };""", MemorySize=512)
    assert failed is None and answer["end"] == "refused ENOSPC" and answer["written"] <= 512 << 20


def test_a_memory_hog_ends_alone(serve):
    answer, failed = call(serve, "hog", "const all = []; for (;;) all.push(Buffer.alloc(16 << 20, 1));")
    assert failed == "Unhandled" and answer["errorType"] == "Runtime.OutOfMemory"
    answer, failed = call(serve, "after-hog", "return 'well';")
    assert (answer, failed) == ("well", None)


def test_a_fork_bomb_is_bounded_and_leaves_nothing(serve):
    marker = f"sleep 4711{serve.port}"
    answer, failed = call(serve, "bomb", f"""
        const children = []; const {{ spawn }} = require('child_process'); let refused = 0;
        for (let i = 0; i < 2000 && refused < 5; i++) {{ try {{ const c = spawn('sleep', ['4711{serve.port}'], {{ detached: true, stdio: 'ignore' }}); c.on('error', () => refused++); }} catch {{ refused++; }} }}
        await new Promise((r) => setTimeout(r, 50)); process.exit(1);""", MemorySize=1024)
    assert failed == "Unhandled" and answer["errorType"] in ("Runtime.ExitError", "Runtime.OutOfMemory")
    left = subprocess.run(["pgrep", "-fc", marker], capture_output=True, text=True).stdout.strip()
    assert left == "0"
    answer, failed = call(serve, "after-bomb", "return 'well';")
    assert (answer, failed) == ("well", None)


def test_strict_names_what_the_host_cannot_do(binary):
    """An ordinary user can make no control groups."""
    if os.getuid() != 0:
        pytest.skip("needs root, to become an ordinary user")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        run = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", binary, "serve", "--data-dir", f"{folder}/data",
                              "--port", str(free_port()), "--sandbox", "strict"], capture_output=True, text=True, timeout=30)
    assert run.returncode == 1 and "--sandbox strict: this host cannot shut functions in completely" in run.stderr
    assert "cgroup memory: " in run.stderr and "memory limits of functions are not enforced" in run.stderr
