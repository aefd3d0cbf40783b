"""Python functions, which are forked from a prepared interpreter, and bootstraps are shut in as Node.js functions are (test_sandbox.py)."""
import pathlib
import subprocess

from conftest import needs_namespaces
from packages import zip_of
from test_runtimes import BOOTSTRAP
from test_sandbox import EXTENSION_CALLS, deploy_and_call, serve  # noqa: F401 (a fixture)


def call(serve, name, text, payload=None, runtime="python3.12", file="app.py", **more):
    return deploy_and_call(serve, name, {file: text}, payload, Runtime=runtime, Handler="app.handler", **more)


TRIED = """
import os, signal
def tried(f):
    try: return str(f())
    except BaseException as error: return 'refused ' + (os.strerror(error.errno) if getattr(error, 'errno', None) else type(error).__name__)
"""


def test_the_hosts_files_and_the_data_directory_are_out_of_reach(serve):
    paths = [str(serve.folder / "credentials"), str(serve.folder / "session-key"), str(serve.folder / "store"), "/etc/shadow", "/root", "/home", str(pathlib.Path(__file__).resolve().parent)]
    found, failed = call(serve, "files", TRIED + "def handler(event, context): return [tried(lambda: os.listdir(p) if os.path.isdir(p) else open(p).read()) for p in event]", paths)
    assert failed is None and all(answer.startswith("refused No such file") or answer.startswith("refused Permission denied") for answer in found), found


@needs_namespaces
def test_a_worker_has_given_up_what_its_parent_had(serve):
    answer, failed = call(serve, "given-up", TRIED + """
import ctypes, subprocess, sys
def handler(event, context):
    libc = ctypes.CDLL(None, use_errno=True)
    def syscall(*a):
        if libc.syscall(*a) < 0: raise OSError(ctypes.get_errno(), '')
    return {'status': open('/proc/self/status').read(), 'secret': os.environ.get('HOST_SECRET'), 'initial': open('/proc/self/environ').read(), 'command': open('/proc/self/cmdline').read(),
            'processes': len([n for n in os.listdir('/proc') if n.isdigit()]), 'ids': [os.getuid(), os.geteuid(), os.getgid(), os.getgroups()], 'root': tried(lambda: os.setuid(0)),
            'fds': {n: os.readlink('/proc/self/fd/' + n) for n in os.listdir('/proc/self/fd') if os.path.islink('/proc/self/fd/' + n)}, 'code': os.listdir('/var/task'), 'tmp': os.listdir('/tmp'),
            'change': tried(lambda: open('/var/task/app.py', 'w')), 'write': tried(lambda: open('/x', 'w')), 'mount': tried(lambda: syscall(165, b'x', b'/tmp', b'tmpfs', 0, None)),
            'user': tried(lambda: syscall(272, 0x10000000)), 'up': tried(lambda: os.listdir('/proc/1/root/root')), 'parent': tried(lambda: os.kill(os.getppid() or 2, signal.SIGKILL)),
            'main': sys.modules['__main__'].__file__, 'interpreter': sys.executable}
""")
    assert failed is None, answer
    status = answer["status"]
    for line in ("CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2", "Threads:\t1"):
        assert line in status, line
    assert answer["ids"] == [993, 993, 993, []] and answer["processes"] == 1 and answer["root"].startswith("refused")
    assert answer["secret"] is None and "HOST_SECRET" not in answer["initial"] and str(serve.folder) not in answer["initial"] + answer["command"]
    assert answer["code"] == ["app.py"] and answer["tmp"] == []
    assert answer["change"] == "refused Read-only file system" and answer["write"] == "refused Read-only file system"
    assert answer["mount"] == "refused Operation not permitted" and answer["user"] == "refused Operation not permitted"
    assert answer["up"].startswith("refused") and answer["parent"].startswith("refused")
    assert set(answer["fds"]) == {"0", "1", "2", "3", "4"} | ({"5"} & set(answer["fds"])), answer["fds"]  # the log has two more of its own; listing opens one
    assert not any(str(serve.folder) in place for place in answer["fds"].values()), answer["fds"]


def test_boto3_reaches_the_platform_with_the_roles_credentials(serve):
    answer, failed = call(serve, "sdk", """
import boto3, botocore, random, ssl, uuid
table = boto3.resource('dynamodb').Table('none')
def handler(event, context): return [boto3.client('dynamodb').list_tables()['TableNames'], boto3.client('sts').get_caller_identity()['Arn'].split('/')[1], botocore.__file__]
""")
    assert failed is None, answer
    assert answer[:2] == [[], "functions"] and answer[2].endswith("/botocore/__init__.py")


def test_workers_of_one_parent_draw_different_random_numbers(serve):
    text = "import os, random, ssl, tempfile, uuid\ndef handler(event, context): return [random.random(), str(uuid.uuid4()), ssl.RAND_bytes(8).hex(), os.urandom(8).hex(), tempfile.mktemp()]"
    one, two = (call(serve, name, text)[0] for name in ("random-one", "random-two"))
    assert all(a != b for a, b in zip(one, two)), (one, two)


@needs_namespaces
def test_a_memory_hog_and_a_fork_bomb_end_alone(serve):
    answer, failed = call(serve, "hog", "def handler(event, context):\n    held = []\n    while True: held.append(bytearray(16 << 20))")
    assert failed == "Unhandled" and answer["errorType"] == "Runtime.OutOfMemory"
    marker = f"sleep 4712{serve.port}"
    answer, failed = call(serve, "bomb", f"""
import os, subprocess
def handler(event, context):
    try:
        for _ in range(2000): subprocess.Popen(['sleep', '4712{serve.port}'], start_new_session=True)
    except OSError: pass
    os._exit(1)
""", MemorySize=1024)
    assert failed == "Unhandled" and answer["errorType"] in ("Runtime.ExitError", "Runtime.OutOfMemory")
    assert subprocess.run(["pgrep", "-fc", marker], capture_output=True, text=True).stdout.strip() == "0"
    assert call(serve, "after", "def handler(event, context): return 'well'") == ("well", None)


@needs_namespaces
def test_a_bootstrap_reaches_its_runtime_api_and_nothing_of_the_host(serve):
    text = BOOTSTRAP.replace("b'{\"got\":' + body + b'}'", """json.dumps({'got': json.loads(body), 'uid': os.getuid(), 'code': os.listdir('/var/task'), 'data': os.path.exists(json.loads(body)), 'api': api,
        'change': os.access('/var/task/bootstrap', os.W_OK), 'processes': len([n for n in os.listdir('/proc') if n.isdigit()]), 'status': open('/proc/self/status').read()})""").replace("import http.client", "import json, http.client")
    answer, failed = call(serve, "bootstrap", text, str(serve.folder), runtime="provided.al2023", file="bootstrap")
    assert failed is None, answer
    assert answer["got"] == str(serve.folder) and answer["uid"] == 993 and answer["code"] == ["bootstrap"] and answer["data"] is False
    assert answer["change"] is False and answer["processes"] == 1 and "CapEff:\t0000000000000000" in answer["status"] and "Seccomp:\t2" in answer["status"]


@needs_namespaces
def test_an_extension_runs_in_its_functions_cell(serve):
    extension = EXTENSION_CALLS + """_, _, headers = request('POST', '/2020-01-01/extension/register', '{"events":["INVOKE"]}', {'Lambda-Extension-Name': 'seer'})
who = {'Lambda-Extension-Identifier': headers['Lambda-Extension-Identifier']}
while True:
    with open('/tmp/new', 'w') as file: json.dump({'uid': os.getuid(), 'data': os.path.exists('FOLDER'), 'layer': os.access('/opt/extensions/seer', os.W_OK), 'status': open('/proc/self/status').read()}, file)
    os.replace('/tmp/new', '/tmp/seen')
    request('GET', '/2020-01-01/extension/event/next', None, who)
""".replace("FOLDER", str(serve.folder))
    layer = serve.client("lambda").publish_layer_version(LayerName="seer", Content={"ZipFile": zip_of({"extensions/seer": extension})})["LayerVersionArn"]
    text = BOOTSTRAP.replace("b'{\"got\":' + body + b'}'", "open('/tmp/seen').read()")
    answer, failed = call(serve, "extended", text, runtime="provided.al2023", file="bootstrap", Layers=[layer])
    assert failed is None, answer
    assert answer["uid"] == 993 and answer["data"] is False and answer["layer"] is False
    assert "CapEff:\t0000000000000000" in answer["status"] and "Seccomp:\t2" in answer["status"] and "NoNewPrivs:\t1" in answer["status"]
