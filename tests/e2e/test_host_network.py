"""Where functions have the host's network, AWS's names still lead to the platform: by hooks in our clients, by HTTPS_PROXY in bootstraps."""
import configparser
import json
import subprocess

import boto3
import pytest
from botocore.config import Config
from packages import zip_of

from conftest import KNOWS_LOCALHOST, Platform, free_port
from test_serve import Serve

NODE = """const https = require('https');
exports.handler = (event) => new Promise((done, fail) => https.get(event.url, (r) => { let t = ''; r.on('data', (d) => t += d); r.on('end', () => done(r.statusCode + ' ' + t)); }).on('error', fail));
"""
PYTHON = """import urllib.request
def handler(event, context):
    with urllib.request.urlopen(event['url'], timeout=10) as answer:
        return f'{answer.status} {answer.read().decode()}'
"""
BOOTSTRAP = """#!/usr/bin/python3
import http.client, json, os, urllib.request
while True:
    connection = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
    connection.request('GET', '/2018-06-01/runtime/invocation/next')
    call = connection.getresponse()
    event = json.loads(call.read())
    try:
        with urllib.request.urlopen(event['url'], timeout=10) as answer:
            said = f'{answer.status} {answer.read().decode()}'
    except Exception as error:
        said = f'{type(error).__name__} {error}'
    connection.request('POST', f"/2018-06-01/runtime/invocation/{call.headers['Lambda-Runtime-Aws-Request-Id']}/response", json.dumps(said))
    connection.getresponse().read()
"""
CASES = [("node", "nodejs22.x", "index.handler", {"index.js": NODE}), ("python", "python3.11", "app.handler", {"app.py": PYTHON}), ("bootstrap", "provided.al2023", "unused", {"bootstrap": BOOTSTRAP})]


def ask(functions, name, runtime, handler, files, url):
    functions.create_function(FunctionName=name, Runtime=runtime, Handler=handler, Role="arn:aws:iam::000000000000:role/any", Timeout=15, Code={"ZipFile": zip_of(files)})
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    answer = functions.invoke(FunctionName=name, Payload=json.dumps({"url": url}))
    return json.loads(answer["Payload"].read())


@pytest.fixture(scope="module")
def dev(binary, tmp_path_factory):
    platform = Platform(binary, tmp_path_factory.mktemp("host-network"), "--empty")
    yield platform
    platform.stop()


def client(platform, port):
    return boto3.client("lambda", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", aws_access_key_id="000000000000", aws_secret_access_key="x",
                        config=Config(retries={"max_attempts": 1}, read_timeout=40))


@pytest.mark.parametrize("name, runtime, handler, files", CASES, ids=[case[0] for case in CASES])
def test_hard_coded_names_of_aws_lead_to_the_platform(dev, name, runtime, handler, files):
    said = ask(client(dev, dev.port), name, runtime, handler, files, "https://sts.us-east-1.amazonaws.com/_parvis/health")
    assert said.startswith("200 ") and '"status":"ready"' in said, said


@pytest.mark.skipif(not KNOWS_LOCALHOST, reason="this host's resolver does not know localhost")
def test_proxy_dials_what_is_not_the_platforms(dev):
    """By name, so that the proxy resolves it; NO_PROXY keeps 127.0.0.1 and localhost out of it."""
    functions = client(dev, dev.port)
    text = BOOTSTRAP.replace("event = json.loads(call.read())", "event = json.loads(call.read()); proxy = os.environ['HTTPS_PROXY'].rsplit(':', 1)").replace(
        "with urllib.request.urlopen(event['url'], timeout=10) as answer:\n            said = f'{answer.status} {answer.read().decode()}'", """import socket
        said = []
        for line in event['url']:
            with socket.create_connection(('127.0.0.1', int(proxy[1])), 5) as asked:
                asked.sendall((line + ' HTTP/1.1\\\\r\\\\nHost: x\\\\r\\\\n\\\\r\\\\nGET /_parvis/health HTTP/1.0\\\\r\\\\nHost: localhost\\\\r\\\\n\\\\r\\\\n').encode())
                heard = b''
                while piece := asked.recv(4096):
                    heard += piece
            said.append(heard.decode())""".replace("\\\\", "\\"))
    unused = free_port()
    said = ask(functions, "proxied", "provided.al2023", "unused", {"bootstrap": text},
               [f"CONNECT localhost:{dev.port}", f"CONNECT 127.0.0.1:{unused}", f"GET http://127.0.0.1:{dev.port}/", "CONNECT nowhere", "CONNECT :443", "CONNECT a:99999999"])
    assert said[0].startswith("HTTP/1.1 200 ") and '"status":"ready"' in said[0]
    assert said[1].startswith("HTTP/1.1 502 ")
    assert [one.split("\r\n")[0] for one in said[2:]] == ["HTTP/1.1 405 Method Not Allowed"] * 4


class Poor(Serve):
    """On a host that says something at its start."""

    def start(self):
        self.process = subprocess.Popen([self.binary, "serve", "--data-dir", str(self.folder), "--port", str(self.port), *self.arguments], stdout=subprocess.PIPE, text=True)
        self.said = ""
        for line in self.process.stdout:
            if "serves" in line:
                break
            self.said += line
        parser = configparser.ConfigParser()
        parser.read(self.folder / "credentials")
        self.key, self.secret = parser["default"]["aws_access_key_id"], parser["default"]["aws_secret_access_key"]


@pytest.mark.parametrize("limit, gap", [("max_net_namespaces", "network namespaces: "), ("max_mnt_namespaces", "namespaces: ")])
def test_host_without_namespaces_names_the_gap_at_start(binary, tmp_path, limit, gap):
    """A user namespace in which these namespaces are used up stands for such a host."""
    inside = f"echo 0 > /proc/sys/user/{limit} && exec unshare -U --map-user=1000 --map-group=1000"
    if subprocess.run(["unshare", "-Ur", "sh", "-c", f"{inside} true"], capture_output=True).returncode != 0:
        pytest.skip("no user namespaces here")
    wrapper = tmp_path / "parvis"
    wrapper.write_text(f"#!/bin/sh\nexec unshare -Ur sh -c '{inside} {binary} \"$@\"' parvis \"$@\"\n")
    wrapper.chmod(0o755)
    strict = subprocess.run([str(wrapper), "serve", "--data-dir", str(tmp_path / "strict"), "--port", str(free_port()), "--sandbox", "strict"], capture_output=True, text=True, timeout=30)
    assert strict.returncode == 1 and "cannot shut functions in completely" in strict.stderr
    serve = Poor(str(wrapper), tmp_path / "data")
    try:
        assert f"sandbox: {gap}" in serve.said, serve.said
        assert "function network: this host gives functions no network of their own" in serve.said
        functions = serve.client("lambda", read_timeout=40)
        for name, runtime, handler, files in CASES:
            answer = ask(functions, name, runtime, handler, files, "https://sts.us-east-1.amazonaws.com/_parvis/health")
            assert answer.startswith("200 "), (name, answer)
    finally:
        serve.stop()
