"""Starts the binary under test. `--endpoint URL` runs the conformance tests against another endpoint instead."""
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.request

import boto3
import pytest
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parent.parent


def pytest_addoption(parser):
    parser.addoption("--binary", default=str(ROOT / "build/release/parvis"))
    parser.addoption("--endpoint", default=None, help="run conformance tests against this endpoint")


def free_port(count=1):
    """The first of `count` free ports in a row: a template's second API takes the port after the first one's."""
    while True:
        with contextlib.ExitStack() as held:
            first = held.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                for step in range(1, count):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port + step))
            except (OSError, OverflowError):
                continue
            return port


# Names below localhost are this machine's (RFC 6761), whether or not its resolver knows them: a minimal Debian has no /etc/hosts.
def _resolve_localhost(resolve):
    def named(host, *rest, **more):
        text = host.decode() if isinstance(host, bytes) else host
        return resolve("127.0.0.1" if isinstance(text, str) and (text == "localhost" or text.endswith(".localhost")) else host, *rest, **more)
    return named


def _knows_localhost():
    try:
        return bool(socket.getaddrinfo("localhost", 80))
    except OSError:
        return False


KNOWS_LOCALHOST = _knows_localhost()  # this host's own resolver, as other programs use it
socket.getaddrinfo = _resolve_localhost(socket.getaddrinfo)


def _allows_namespaces():
    return subprocess.run(["unshare", "--user", "--map-root-user", "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


# Functions still have Landlock, seccomp and control groups without them; what these tests expect is more.
NAMESPACES = _allows_namespaces()
needs_namespaces = pytest.mark.skipif(not NAMESPACES, reason="this host allows no user namespaces, as a chroot does")


class Platform:
    """One `parvis dev` process. `api(n)` is the URL of the template's n-th API."""

    def __init__(self, binary, data_dir, *arguments):
        self.binary, self.data_dir, self.arguments = binary, data_dir, arguments
        self.port, self.api_port = free_port(), None
        self.process, self.log = None, pathlib.Path(data_dir) / "output.log"
        self.start()

    def start(self, timeout=30):
        pathlib.Path(self.data_dir).mkdir(parents=True, exist_ok=True)
        self.api_port = free_port(4)
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(
                [self.binary, "dev", *self.arguments, "--port", str(self.port), "--api-port", str(self.api_port),
                 "--data-dir", str(pathlib.Path(self.data_dir) / "state")],
                stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            return self.wait_until_ready(timeout)
        except BaseException:
            self.kill()  # nobody else knows of it
            raise

    def wait_until_ready(self, timeout):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"parvis ended with {self.process.returncode}:\n{self.output()}")
            try:
                health = json.load(urllib.request.urlopen(f"{self.url}/_parvis/health", timeout=1))
                if health["status"] == "ready":
                    return health
            except OSError:
                pass
            time.sleep(0.02)
        raise RuntimeError(f"parvis was not ready in {timeout} s:\n{self.output()}")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def api(self, index=0):
        health = json.load(urllib.request.urlopen(f"{self.url}/_parvis/health", timeout=5))
        return health["apis"][index]["url"].rstrip("/")

    def output(self):
        return self.log.read_text(errors="replace")

    def said(self, pattern, seconds=5):
        """The first match of `pattern` in the output, which is written a moment after what it tells of."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.output(), re.M)) and time.monotonic() < end:
            time.sleep(0.01)
        assert found, f"{pattern!r} is not in\n{self.output()}"
        return found

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
                raise

    def client(self, service, **config):
        return boto3.client(service, endpoint_url=self.url, region_name="eu-west-1", aws_access_key_id="111122223333",
                            aws_secret_access_key="any", config=Config(retries={"max_attempts": 1}, **config))


@pytest.fixture(scope="session")
def binary(request):
    path = request.config.getoption("--binary")
    assert os.access(path, os.X_OK), f"{path} is not there; run script/build"
    return str(pathlib.Path(path).resolve())


@pytest.fixture(scope="session")
def empty(binary, tmp_path_factory):
    """A platform without a template, shared by tests that make names of their own."""
    platform = Platform(binary, tmp_path_factory.mktemp("empty"), "--empty")
    yield platform
    platform.stop()


@pytest.fixture(scope="session")
def client(request):
    """client(service): a stock boto3 client of the endpoint under test."""
    endpoint = request.config.getoption("--endpoint")
    if endpoint:  # credentials and Region as the environment names them
        return lambda service: boto3.client(service, endpoint_url=endpoint)
    return request.getfixturevalue("empty").client


@pytest.fixture
def table(client, request):
    """A fresh table: partition key `p` (S), sort key `s` (N), index `byKind` on `kind` (S) and `s`."""
    dynamodb = client("dynamodb")
    name = "t-" + re.sub(r"\W", "-", request.node.name)[:200]
    dynamodb.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in (("p", "S"), ("s", "N"), ("kind", "S"))],
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[{"IndexName": "byKind", "Projection": {"ProjectionType": "ALL"},
                                 "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}]}])
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    yield name
    dynamodb.delete_table(TableName=name)
