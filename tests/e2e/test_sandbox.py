"""Functions of `parvis serve` are shut in: they try to break each promise of docs/security.md. Needs a host that allows namespaces
and control groups; what it does not allow is skipped with the platform's own words."""
import json
import os
import subprocess
import tempfile

import pytest
from conftest import free_port, needs_namespaces
from packages import zip_of
from test_serve import TRUST, Serve

PRELUDE = "const fs = require('fs'), { execSync } = require('child_process');\nconst tried = (f) => { try { return String(f()); } catch (e) { return 'refused ' + (e.code ?? e.message); } };\n"


# How an extension begins.
EXTENSION_CALLS = """#!/usr/bin/python3
import http.client, json, os
def request(method, path, body=None, headers={}):
    connection = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
    connection.request(method, path, body, headers)
    got = connection.getresponse()
    return got.status, got.read(), got.headers
"""


@pytest.fixture(scope="module")
def serve(binary, tmp_path_factory):
    os.environ["HOST_SECRET"] = "of the host"
    running = Serve(binary, tmp_path_factory.mktemp("sandbox") / "data")
    running.role = running.client("iam").create_role(RoleName="functions", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    yield running
    running.stop()


def deploy_and_call(serve, name, files, payload, **settings):
    """(answer, FunctionError)"""
    functions = serve.client("lambda", read_timeout=60)
    functions.create_function(FunctionName=name, Role=serve.role, Code={"ZipFile": zip_of(files)}, **{"Timeout": 20, **settings})
    answer = functions.invoke(FunctionName=name, Payload=json.dumps(payload))
    return json.loads(answer["Payload"].read()), answer.get("FunctionError")


def call(serve, name, body, payload=None, **more):
    """Deploys a function whose handler is `body` and calls it."""
    text = f"{PRELUDE}exports.handler = async (event) => {{ {body} }};"
    return deploy_and_call(serve, name, {"index.js": text}, payload, Runtime="nodejs22.x", Handler="index.handler", **more)


def test_the_hosts_files_and_the_data_directory_are_out_of_reach(serve):
    paths = [str(serve.folder / "credentials"), str(serve.folder / "session-key"), str(serve.folder / "store"), "/etc/shadow", "/root", "/home"]
    found, failed = call(serve, "files", "return event.map((p) => tried(() => fs.statSync(p).isDirectory() ? fs.readdirSync(p) : fs.readFileSync(p)));", paths)
    assert failed is None and all(answer.startswith("refused") for answer in found), found


@needs_namespaces
def test_a_function_sees_its_own_code_read_only_and_no_other_functions(serve):
    answer, failed = call(serve, "code", """
        return { code: fs.readdirSync('/var/task'), change: tried(() => fs.writeFileSync('/var/task/index.js', '')), root: tried(() => fs.writeFileSync('/x', '')),
                 others: tried(() => execSync('find / -name index.js -not -path "/usr/*" -not -path "/var/runtime/*" 2>/dev/null || true')), tmp: fs.readdirSync('/tmp') };""")
    assert failed is None
    assert answer["code"] == ["index.js"] and answer["others"].split() == ["/var/task/index.js"] and answer["tmp"] == []
    assert answer["change"] == "refused EROFS" and answer["root"] == "refused EROFS"


@needs_namespaces
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


@needs_namespaces
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


@needs_namespaces
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


def well(serve, name):
    assert call(serve, f"{name}-after", "return 'well';") == ("well", None)


def memory_of(serve):
    with open(f"/proc/{serve.process.pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


def test_a_shell_fork_bomb_is_bounded_and_ends_with_its_environment(serve):
    answer, failed = call(serve, "shell-bomb", "require('child_process').spawn('/bin/bash', ['-c', 'b() { b | b & }; b; b; sleep 4712'], { stdio: 'ignore' }); await new Promise((r) => setTimeout(r, 1500)); process.exit(3);")
    assert failed == "Unhandled" and answer["errorType"] in ("Runtime.ExitError", "Runtime.OutOfMemory")
    well(serve, "shell-bomb")
    assert subprocess.run(["pgrep", "-fc", "sleep 4712"], capture_output=True, text=True).stdout.strip() == "0"


def test_closing_every_descriptor_ends_the_environment_alone(serve):
    answer, failed = call(serve, "closing", "for (let fd = 0; fd < 1024; fd++) { try { fs.closeSync(fd); } catch {} } return 1;")
    assert failed == "Unhandled" and answer["errorType"] in ("Runtime.ExitError", "Sandbox.Timedout", "Runtime.OutOfMemory"), answer
    well(serve, "closing")


def test_the_clock_cannot_be_set_and_lies_about_it_change_nothing(serve):
    answer, failed = call(serve, "clock", """
        const set = tried(() => execSync('date -s 2001-01-01 2>&1')); const real = Date.now;
        Date.now = () => real() + 1e12; process.hrtime.bigint = () => 0n; globalThis.setTimeout = () => 0;
        return set;""")
    assert failed is None and answer.startswith("refused")
    answer, failed = call(serve, "clock-loop", "Date.now = () => 0; for (;;) {}", Timeout=1)
    assert failed == "Unhandled" and answer["errorType"] == "Sandbox.Timedout"
    well(serve, "clock")


def test_a_gigabyte_of_output_is_bounded(serve):
    before = memory_of(serve)
    answer, failed = call(serve, "loud", "const piece = 'x'.repeat(1 << 20); for (let i = 0; i < 1024; i++) console.log(piece); return 'said';")
    assert (answer, failed) == ("said", None) or answer["errorType"] == "Sandbox.Timedout", answer
    assert memory_of(serve) - before < 64 << 20
    well(serve, "loud")


def test_payloads_of_more_than_6_mb_are_errors_of_the_function_or_the_request(serve):
    answer, failed = call(serve, "large", "return 'x'.repeat(7 << 20);")
    assert failed == "Unhandled" and answer["errorType"] == "Function.ResponseSizeTooLarge"
    functions = serve.client("lambda")
    with pytest.raises(functions.exceptions.RequestTooLargeException):
        functions.invoke(FunctionName="large", Payload=json.dumps("x" * (7 << 20)))
    well(serve, "large")


def test_one_that_never_reads_is_bounded(serve):
    """It answers nothing, and its next call's payload would not fit into the channel."""
    serve_call = serve.client("lambda", read_timeout=60)
    answer, failed = call(serve, "deaf", "if (event === 'first') { setImmediate(() => { for (;;) {} }); return 'heard'; } return 'again';", "first")
    assert failed is None or answer["errorType"] in ("Sandbox.Timedout", "Runtime.ExitError")
    serve_call.update_function_configuration(FunctionName="deaf", Timeout=2)
    late = serve_call.invoke(FunctionName="deaf", Payload=json.dumps("x" * (5 << 20)))
    assert json.loads(late["Payload"].read()) == "again" or late.get("FunctionError") == "Unhandled"
    well(serve, "deaf")
