"""How far functions reach, and what they meet there. Each policy is a promise of docs/security.md, and functions try to break it.
Needs a host that allows network namespaces."""
import io
import json
import pathlib
import socket
import threading
import zipfile

import pytest
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
const get = (url) => tried(() => new Promise((done, fail) => { https.get(url, (r) => { let t = ''; r.on('data', (d) => t += d); r.on('end', () => done(r.statusCode + ' ' + t)); }).on('error', fail); }));
"""


class Networked(Serve):
    """`parvis serve` with a policy, and a function whose handler is the text that it is given."""

    def __init__(self, binary, folder, *arguments):
        self.arguments = arguments
        super().__init__(binary, folder)
        self.role = self.client("iam").create_role(RoleName="functions", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        self.deploy("any", "index.js", PRELUDE + "exports.handler = async (event) => eval(`(async () => { ${event.code} })()`);")

    def start(self):
        binary, self.binary = self.binary, None
        import subprocess
        self.process = subprocess.Popen([binary, "serve", "--data-dir", str(self.folder), "--port", str(self.port), *self.arguments], stdout=subprocess.PIPE, text=True)
        self.binary = binary
        assert "serves" in self.process.stdout.readline()
        text = (self.folder / "credentials").read_text()
        values = dict(line.split(" = ") if " = " in line else line.split("=") for line in text.splitlines() if "=" in line)
        self.key, self.secret = values["aws_access_key_id"].strip(), values["aws_secret_access_key"].strip()

    def deploy(self, name, file, text, **more):
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            entry = zipfile.ZipInfo(file)
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, text)
        self.client("lambda").create_function(**{"FunctionName": name, "Runtime": "nodejs22.x", "Handler": "index.handler", "Role": self.role,
                                                 "Code": {"ZipFile": code.getvalue()}, "Timeout": 20, **more})

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
        return [told, spelt, await list({}), await list({ useDualstackEndpoint: true }), (await get('https://sqs.us-west-2.amazonaws.com/')).slice(0, 3), await get('https://example.com/')];""")
    assert found[:4] == [[], [], [], []] and found[4][0] in "45" and found[5] == "refused ENOTFOUND"


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
