"""How far functions reach, and what they meet there. Each policy is a promise of docs/security.md, and functions try to break it.
Needs a host that allows network namespaces."""
import json
import pathlib
import socket
import threading

import pytest
from conftest import NAMESPACES
from packages import zip_of
from test_serve import TRUST, Serve

PRELUDE = """
const net = require('net'), dgram = require('dgram'), dns = require('dns').promises, https = require('https'), fs = require('fs');
const tried = async (f) => { try { return await f(); } catch (e) { return 'refused ' + (e.code ?? e.message); } };
const connect = (options) => tried(() => new Promise((done, fail) => {
  const socket = net.connect({ ...options, timeout: 3000 }, () => { socket.destroy(); done('connected'); });
  socket.on('error', fail); socket.on('timeout', () => { socket.destroy(); done('refused by silence'); });
}));
const speak = (options, text = 'GET / HTTP/1.0\\r\\n\\r\\n') => tried(() => new Promise((done, fail) => {
  let heard = ''; const socket = net.connect({ ...options, timeout: 5000 }, () => socket.write(text));
  socket.on('data', (d) => heard += d); socket.on('end', () => done(heard)); socket.on('error', fail); socket.on('timeout', () => { socket.destroy(); done('silence ' + heard); });
}));
// As the JavaScript SDK asks when an operation has a host prefix.
const prefix = (port) => new Promise((done, fail) => require('http').get({ host: 'sync-127.0.0.1', port, path: '/_parvis/health' }, (r) => done(r.statusCode)).on('error', fail));
const get = (url) => tried(() => new Promise((done, fail) => { https.get(url, (r) => { let t = ''; r.on('data', (d) => t += d); r.on('end', () => done(r.statusCode + ' ' + t)); }).on('error', fail); }));
"""


class Networked(Serve):
    """`parvis serve` with a policy, and a function whose handler is the text that it is given."""

    def __init__(self, binary, folder, *arguments):
        super().__init__(binary, folder, *arguments)
        self.role = self.client("iam").create_role(RoleName="functions", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        self.deploy("any", "index.js", PRELUDE + "exports.handler = async (event) => eval(`(async () => { ${event.code} })()`);")

    def deploy(self, name, file, text, **more):
        self.client("lambda").create_function(**{"FunctionName": name, "Runtime": "nodejs22.x", "Handler": "index.handler", "Role": self.role,
                                                 "Code": {"ZipFile": zip_of({file: text})}, "Timeout": 20, "MemorySize": 256, **more})

    def call(self, name, event):
        answer = self.client("lambda", read_timeout=60).invoke(FunctionName=name, Payload=json.dumps(event))
        payload = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload

    def run(self, code, **event):
        return self.call("any", {"code": code, **event})


def fixture_of(policy):
    @pytest.fixture(scope="module")
    def running(binary, tmp_path_factory):
        if not NAMESPACES:
            pytest.skip("this host gives functions no network of their own")
        platform = Networked(binary, tmp_path_factory.mktemp(policy) / "data", "--function-network", policy)
        yield platform
        platform.stop()
    return running


none, platform, outbound = fixture_of("none"), fixture_of("platform"), fixture_of("outbound")


@pytest.fixture(scope="module")
def outside():
    """A server on an address of this machine that is not loopback: (address, port). Says "outside" to whoever connects."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.99", 9))
        except OSError:
            pytest.skip("this machine has no network beside loopback")
        address = probe.getsockname()[0]
    server = socket.create_server((address, 0))

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connection.recv(100)
            connection.sendall(b"outside")
            connection.close()
    threading.Thread(target=serve, daemon=True).start()
    yield address, server.getsockname()[1]
    server.close()


PYTHON = """import boto3, os, socket, subprocess, urllib.request
from botocore.exceptions import ClientError
def tried(f):
    try: return f()
    except ClientError as e: return e.response['Error']['Code'] + ' ' + str(e.response['ResponseMetadata']['HTTPStatusCode'])
    except Exception as e: return 'refused ' + repr(e)
def handler(event, context):
    names = dict(globals())
    names["event"] = event
    exec(event['code'], names)
    return names['out']
"""


def test_the_sdk_for_javascript_reaches_the_platform_however_it_is_told(platform):
    found = platform.run("""
        const { DynamoDBClient, ListTablesCommand } = require('@aws-sdk/client-dynamodb');
        const list = (options) => tried(async () => (await new DynamoDBClient(options).send(new ListTablesCommand({}))).TableNames);
        const told = await list({}), spelt = await list({ endpoint: 'https://dynamodb.eu-west-1.amazonaws.com' });
        delete process.env.AWS_ENDPOINT_URL;
        return [told, spelt, await list({}), await list({ useDualstackEndpoint: true }), (await get('https://sqs.us-west-2.amazonaws.com/')).slice(0, 3), await get('https://example.com/'), await tried(() => prefix(event.platform))];""", platform=platform.port)
    assert found[:4] == [[], [], [], []] and found[4][0] in "45" and found[5:] == ["refused ENOTFOUND", 200], found


@pytest.mark.parametrize("told", [True, False], ids=["endpoint_variable", "names_of_aws"])
def test_boto3_reaches_the_platform(platform, told):
    name = f"python-{told}"
    platform.deploy(name, "index.py", PYTHON, Runtime="python3.12")
    code = ("" if told else "del os.environ['AWS_ENDPOINT_URL']\n") + """
s3 = boto3.client('s3')
bucket = 'my.bucket-' + event['told'].lower()
def keep():
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={'LocationConstraint': 'eu-west-1'})
    s3.put_object(Bucket=bucket, Key='a/b', Body=b'kept')
    return s3.get_object(Bucket=bucket, Key='a/b')['Body'].read().decode()
sync = lambda: boto3.client('stepfunctions').start_sync_execution(stateMachineArn='arn:aws:states:eu-west-1:000000000000:stateMachine:x')
out = [tried(lambda: boto3.client('dynamodb').list_tables()['TableNames']), tried(keep), tried(sync), os.getuid(), tried(lambda: urllib.request.urlopen('https://example.com').status)]
"""
    tables, kept, sync, user, elsewhere = platform.call(name, {"code": code, "told": str(told)})
    assert tables == [] and kept == "kept" and user == 993
    assert not sync.startswith("refused"), sync  # whatever the service says, it is ours
    assert elsewhere.startswith("refused")


BOOTSTRAP = """#!/usr/bin/python3
import http.client, json, os, socket
api = os.environ['AWS_LAMBDA_RUNTIME_API']
def ask(path, body=None):
    connection = http.client.HTTPConnection(api)
    connection.request('GET' if body is None else 'POST', '/2018-06-01/runtime/' + path, body)
    return connection.getresponse()
while True:
    call = ask('invocation/next')
    event, id = json.loads(call.read()), call.headers['Lambda-Runtime-Aws-Request-Id']
    def code(path, body=None):
        answer = ask(path, body)
        return answer.status
    wrong = [code('invocation/00000000-0000-0000-0000-000000000000/response', b'stolen'), code('invocation/' + id + '/nothing', b'x'), code('init/error', b'{}'), code('invocation/next')]
    port = event.get('port', 0)
    other = 'refused'
    if port:
        try:
            socket.create_connection(('127.0.0.1', port), 2).close(); other = 'connected'
        except OSError: pass
    ask('invocation/' + id + '/response', json.dumps({'api': api, 'wrong': wrong, 'other': other}).encode()).read()
"""


@pytest.mark.parametrize("policy", ["none", "platform", "outbound"])
def test_a_bootstrap_has_a_runtime_api_that_nobody_else_reaches(policy, request):
    running = request.getfixturevalue(policy)
    for name in ("one", "two"):
        running.deploy(f"bootstrap-{name}", "bootstrap", BOOTSTRAP, Runtime="provided.al2023", Handler="unused")
        answer = running.call(f"bootstrap-{name}", {})
        assert answer == {"api": "127.0.0.1:9001", "wrong": [400, 404, 403, 403], "other": "refused"}
    # Two live beside each other at one address: each is in a network of its own, and a third one meets neither.
    assert running.run("return await connect({ host: '127.0.0.1', port: 9001 });") == "refused ECONNREFUSED"
    host = [int(line.split()[1].split(":")[1], 16) for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"]
    assert 9001 not in host


def test_policy_none_reaches_nothing(none, outside):
    address, port = outside
    found = none.run("""
        const all = { platform: await connect({ host: '127.0.0.1', port: event.platform }), name: await connect({ host: 'localhost', port: event.platform }), outside: await connect({ host: event.address, port: event.port }),
          six: await connect({ host: '::1', port: event.platform }), unique: await connect({ host: 'fd00::2', port: 80 }), dns: await tried(() => dns.resolve4('example.com')), aws: await get('https://s3.amazonaws.com/') };
        for (const port of [53, 80, 443]) all[port] = await connect({ host: '127.0.0.1', port });
        return all;""", platform=none.port, address=address, port=port)
    assert all(answer.startswith("refused") for answer in found.values()), found


def test_policy_platform_reaches_the_platform_alone(platform, outside):
    address, port = outside
    listener = socket.create_server(("127.0.0.1", 0))
    found = platform.run("""
        const ask = (server, name) => tried(async () => { const r = new dns.Resolver({ timeout: 1000, tries: 1 }); r.setServers([server]); return r.resolve4(name); });
        return { platform: await connect({ host: '127.0.0.1', port: event.platform }), outside: await connect({ host: event.address, port: event.port }), loopback: await connect({ host: '127.0.0.1', port: event.loopback }),
          six: await connect({ host: '::1', port: event.platform }), unique: await connect({ host: 'fd00::2', port: 80 }), metadata: await connect({ host: '169.254.169.254', port: 80 }),
          name: await ask('127.0.0.1', 'example.com'), elsewhere: await ask(event.address, 'example.com'), spelt: await ask('127.0.0.1', 'x.y.S3.EU-west-1.amazonaws.com'), like: await ask('127.0.0.1', 'evilamazonaws.com') };""",
                         platform=platform.port, address=address, port=port, loopback=listener.getsockname()[1])
    listener.close()
    assert found.pop("platform") == "connected" and found.pop("spelt") == ["127.0.0.1"]
    assert all(answer.startswith("refused") for answer in found.values()), found


def test_policy_outbound_reaches_others_but_not_the_hosts_own(outbound, outside):
    address, port = outside
    listener = socket.create_server(("127.0.0.1", 0))
    found = outbound.run("""
        return { outside: await speak({ host: event.address, port: event.port }), again: await speak({ host: event.address, port: event.port }), mapped: await speak({ host: '::ffff:' + event.address, port: event.port }),
          platform: await connect({ host: '127.0.0.1', port: event.platform }), closed: (await speak({ host: event.address, port: 1 })),
          loopback: await connect({ host: '127.0.0.1', port: event.loopback }), metadata: await connect({ host: '169.254.169.254', port: 80 }), zero: await connect({ host: '0.0.0.0', port: event.loopback }),
          six: await connect({ host: '::1', port: event.loopback }), many: await connect({ host: '224.0.0.1', port: 80 }) };""",
                         platform=outbound.port, address=address, port=port, loopback=listener.getsockname()[1])
    listener.close()
    assert found.pop("outside") == found.pop("again") == found.pop("mapped") == "outside" and found.pop("platform") == "connected"
    assert found.pop("closed") in ("refused ECONNRESET", "refused ECONNREFUSED", "")
    assert all(answer.startswith("refused") for answer in found.values()), found


def test_python_forked_from_a_prepared_process_keeps_the_policy(outbound, outside):
    address, port = outside
    outbound.deploy("python-out", "index.py", PYTHON, Runtime="python3.12")
    listener = socket.create_server(("127.0.0.1", 0))
    found = outbound.call("python-out", {"code": f"""
def speak(address, port):
    with socket.create_connection((address, port), 3) as s:
        s.sendall(b'GET'); return s.recv(100).decode()
out = [tried(lambda: speak('{address}', {port})), tried(lambda: speak('127.0.0.1', {listener.getsockname()[1]})), tried(lambda: boto3.client('dynamodb').list_tables()['TableNames'])]
"""})
    listener.close()
    assert found[0] == "outside" and found[1].startswith("refused") and found[2] == []


RAW = """
import ctypes, errno, os, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
def number(f):
    try: f(); return 'allowed'
    except OSError as e: return 'refused ' + errno.errorcode[e.errno]
def route(kind, flags, body):  # changes the network by rtnetlink: the interface, an address, a route
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    s.bind((0, 0))
    s.send(struct.pack('IHHII', 16 + len(body), kind, 5 | flags, 1, 0) + body)
    code = struct.unpack_from('i', s.recv(4096), 16)[0]
    if code: raise OSError(-code, 'netlink')
out = {
    'raw': number(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)), 'packet': number(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)),
    'vsock': number(lambda: socket.socket(40, socket.SOCK_STREAM, 0)), 'alg': number(lambda: socket.socket(38, socket.SOCK_SEQPACKET, 0)),
    'link down': number(lambda: route(16, 0, struct.pack('BxHiII', 0, 0, 1, 0, 1))), 'address': number(lambda: route(20, 0x600, struct.pack('BBBBI', 2, 8, 0, 0, 1) + struct.pack('HH4s', 8, 2, bytes([10, 1, 1, 1])))),
    'route': number(lambda: route(24, 0x600, struct.pack('BBBBBBBBI', 2, 0, 0, 0, 254, 3, 0, 1, 0) + struct.pack('HHI', 8, 4, 1))),
    'port 80': number(lambda: socket.socket().bind(('127.0.0.3', 80))), 'unshare': number(lambda: libc.unshare(0x40000000) and (_ for _ in ()).throw(OSError(ctypes.get_errno(), ''))),
    'setns': number(lambda: libc.setns(os.open('/proc/1/ns/net', os.O_RDONLY), 0) and (_ for _ in ()).throw(OSError(ctypes.get_errno(), ''))),
    'abstract': number(lambda: socket.socket(socket.AF_UNIX).connect(event['abstract'])), 'abstract of old': number(lambda: socket.socket(socket.AF_UNIX).connect('/tmp/.X11-unix/X0')),
    'bind low udp': number(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(('0.0.0.0', 53))), 'interfaces': [name for _, name in socket.if_nameindex()]}
"""


@pytest.mark.parametrize("policy", ["none", "platform", "outbound"])
def test_the_network_cannot_be_changed_or_left(policy, request):
    running = request.getfixturevalue(policy)
    running.deploy("python-raw", "index.py", PYTHON, Runtime="python3.12")
    name = f"\0parvis-test-{running.port}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name)
        listener.listen(1)
        found = running.call("python-raw", {"code": RAW, "abstract": name})
    assert found.pop("interfaces") == ["lo"]
    assert all(answer.startswith("refused") for answer in found.values()), found


GARBAGE = """
const udp = dgram.createSocket('udp4'); const answers = []; udp.on('message', (m) => answers.push(m));
const name = (...labels) => Buffer.concat([...labels.map((l) => Buffer.concat([Buffer.from([l.length]), Buffer.from(l)])), Buffer.from([0])]);
const head = (flags = 0x0100, qd = 1, an = 0) => Buffer.from([0xab, 0xcd, flags >> 8, flags & 255, 0, qd, 0, an, 0, 0, 0, 0]);
const end = Buffer.from([0, 1, 0, 1]);
const packets = { empty: Buffer.alloc(0), short: Buffer.alloc(11), loop: Buffer.concat([head(), Buffer.from([0xc0, 12]), end]), forward: Buffer.concat([head(), Buffer.from([0xc0, 0xff]), end]),
  cut: Buffer.concat([head(), Buffer.from([63]), Buffer.from('abc')]), long: Buffer.concat([head(), name(...Array(6).fill('a'.repeat(63))), end]), none: head(0x0100, 0), two: head(0x0100, 2), answer: Buffer.concat([head(0x8180), name('a'), end]),
  update: Buffer.concat([head(0x2800), name('a'), end]), chaos: Buffer.concat([head(), name('version', 'bind'), Buffer.from([0, 16, 0, 3])]), big: Buffer.concat([head(), name('a'), end, Buffer.alloc(9000)]), nul: Buffer.concat([head(), Buffer.from([3, 0, 46, 97, 0]), end]) };
const codes = {};
for (const [kind, packet] of Object.entries(packets)) {
  answers.length = 0; udp.send(packet, 53, '127.0.0.1'); await new Promise((r) => setTimeout(r, 30));
  codes[kind] = answers.length === 0 ? 'nothing' : answers[0][3] & 15;
}
for (let i = 0; i < 20000; i++) { const p = Buffer.alloc(Math.random() * 600 | 0); require('crypto').randomFillSync(p); udp.send(p, 53, '127.0.0.1'); }
await new Promise((r) => setTimeout(r, 200)); udp.close();
const tls = [];
for (const bytes of [Buffer.from('GET / HTTP/1.1\\r\\n\\r\\n'), Buffer.from([22, 3, 1, 255, 255, 1]), Buffer.alloc(70000, 22), Buffer.from([21, 3, 1, 0, 2, 2, 40])]) tls.push(await tried(() => new Promise((done) => {
  const s = net.connect(443, '127.0.0.1', () => s.write(bytes)); let n = 0; s.on('data', (d) => n += d.length); s.on('error', () => done('closed')); s.on('close', () => done('closed')); setTimeout(() => { s.destroy(); done('open'); }, 500); })));
const odd = [await get({ host: '127.0.0.1', port: 443, servername: 'example.com', rejectUnauthorized: false }), await get({ host: '127.0.0.1', port: 443, servername: '', rejectUnauthorized: false }),
  await get({ host: '127.0.0.1', port: 443, servername: "x'; DROP.amazonaws.com".replace(/[^a-z.]/g, '_'), rejectUnauthorized: false })];
const held = []; let refused = 0;
for (let i = 0; i < 600; i++) { const s = net.connect([443, 80, 53][i % 3], '127.0.0.1'); s.on('error', () => refused++); s.on('close', () => refused++); held.push(s); }
await new Promise((r) => setTimeout(r, 1500)); const open = held.filter((s) => !s.destroyed && !s.connecting).length;
held.forEach((s) => s.destroy());
await new Promise((r) => setTimeout(r, 100));
return { codes, tls, odd: odd.map((o) => o.slice(0, 40)), open, after: (await get('https://dynamodb.eu-west-1.amazonaws.com/')).slice(0, 3) };
"""


def test_garbage_and_silence_end_with_their_connection(platform):
    def resident():
        return int(pathlib.Path(f"/proc/{platform.process.pid}/statm").read_text().split()[1]) * 4096

    def files():
        return len(list(pathlib.Path(f"/proc/{platform.process.pid}/fd").iterdir()))

    platform.run(GARBAGE)
    before, files_before = resident(), files()
    for _ in range(3):
        found = platform.run(GARBAGE)
    assert found["codes"] == {"empty": "nothing", "short": "nothing", "loop": 1, "forward": 1, "cut": 1, "long": 1, "none": 1, "two": 1, "answer": "nothing", "update": 4, "chaos": 5, "big": 1, "nul": 1}
    assert found["tls"][0] == "closed" and found["tls"][2:] == ["closed", "closed"], found
    assert all(answer.startswith("refused") for answer in found["odd"][:2]), found
    assert found["open"] <= 256 and found["after"][0] in "45", found
    assert resident() - before < 16 << 20 and files() - files_before < 64
    assert platform.client("dynamodb").list_tables()["TableNames"] == []


def test_what_needs_a_sandbox_is_refused_without_one(binary, tmp_path):
    import subprocess
    run = subprocess.run([binary, "serve", "--data-dir", str(tmp_path / "data"), "--sandbox", "off", "--function-network", "platform"], capture_output=True, text=True, timeout=30)
    assert run.returncode == 1 and "need --sandbox on" in run.stderr


@pytest.fixture(scope="module")
def shared(binary, tmp_path_factory):
    """Functions with the host's network, as in `parvis dev`: our runtime clients turn AWS's names."""
    running = Networked(binary, tmp_path_factory.mktemp("host") / "data", "--function-network", "host")
    yield running
    running.stop()


def test_on_the_hosts_network_our_clients_turn_names(shared):
    found = shared.run("""
        const { DynamoDBClient, ListTablesCommand } = require('@aws-sdk/client-dynamodb');
        const list = (options) => tried(async () => (await new DynamoDBClient(options).send(new ListTablesCommand({}))).TableNames);
        const told = await list({}), plain = await list({ endpoint: 'http://dynamodb.eu-west-1.amazonaws.com' });
        const prefixed = await tried(() => prefix(event.platform));
        const leaked = process.env._PARVIS_AWS ?? null, before = await connect({ host: '127.0.0.1', port: event.loopback });
        const fetched = await tried(async () => (await fetch('https://sqs.eu-west-1.amazonaws.com/')).status);
        delete process.env.AWS_ENDPOINT_URL;
        return { lists: [told, plain, await list({})], https: (await get('https://s3.eu-west-1.amazonaws.com/')).slice(0, 3), prefixed, leaked, before, fetched };""", platform=shared.port, loopback=shared.port)
    assert found["lists"] == [[], [], []] and found["https"][0] in "45" and found["prefixed"] == 200 and found["leaked"] is None and found["before"] == "connected"
    assert isinstance(found["fetched"], int), found


def test_on_the_hosts_network_boto3_is_turned_too(shared):
    shared.deploy("python-shared", "index.py", PYTHON, Runtime="python3.12")
    out = shared.call("python-shared", {"code": """
leaked = os.environ.get('_PARVIS_AWS')
del os.environ['AWS_ENDPOINT_URL']
out = [tried(lambda: boto3.client('dynamodb').list_tables()['TableNames']), tried(lambda: boto3.client('stepfunctions').start_sync_execution(stateMachineArn='arn:aws:states:eu-west-1:000000000000:stateMachine:x')), leaked]
"""})
    assert out[0] == [] and not out[1].startswith("refused") and out[2] is None


def test_a_tag_narrows_one_function_and_its_versions(outbound, outside):
    address, port = outside
    functions = outbound.client("lambda")
    code = {"code": "return [await speak({ host: event.address, port: event.port }), await connect({ host: '127.0.0.1', port: event.platform })];", "address": address, "port": port, "platform": outbound.port}
    text = PRELUDE + "exports.handler = async (event) => eval(`(async () => { ${event.code} })()`);"
    outbound.deploy("narrow", "index.js", text, Tags={"parvis:network": "platform"})
    assert outbound.call("narrow", code) == ["refused ECONNREFUSED", "connected"]
    functions.publish_version(FunctionName="narrow")
    assert outbound.call("narrow:1", code) == ["refused ECONNREFUSED", "connected"]
    arn = functions.get_function(FunctionName="narrow")["Configuration"]["FunctionArn"]
    functions.tag_resource(Resource=arn, Tags={"parvis:network": "none"})
    for name in ("narrow", "narrow:1"):
        assert outbound.call(name, code)[0] == "refused ECONNREFUSED"
        assert outbound.call(name, code)[1] == "refused ECONNREFUSED"
    functions.untag_resource(Resource=arn, TagKeys=["parvis:network"])
    assert outbound.call("narrow", code) == ["outside", "connected"]
    with pytest.raises(functions.exceptions.InvalidParameterValueException, match="parvis:network is none, platform or outbound"):
        functions.tag_resource(Resource=arn, Tags={"parvis:network": "everything"})
