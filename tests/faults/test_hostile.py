"""Hostile input gets AWS's error or a clear one; the process lives and its memory stays bounded."""
import io
import json
import socket
import stat
import subprocess
import zipfile

import pytest
from botocore.exceptions import ClientError

RSS_GROWTH_MAX = 256 << 20


def rss_bytes(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


def raw(platform, data, timeout=15, half_close=False):
    """Sends bytes as they are and returns what comes back until the server closes or falls silent."""
    answer = b""
    with socket.create_connection(("127.0.0.1", platform.port), timeout=timeout) as peer:
        try:
            peer.sendall(data)
            if half_close:
                peer.shutdown(socket.SHUT_WR)
            while chunk := peer.recv(65536):
                answer += chunk
        except (ConnectionResetError, BrokenPipeError):
            pass  # the server may close before it has read all of what it refused
    return answer


def request(platform, method="POST", path="/", headers=(), body=b"", host=None):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host or '127.0.0.1'}", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    answer = raw(platform, "\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    return int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2]


@pytest.fixture(autouse=True)
def lives(empty):
    before = rss_bytes(empty.process.pid)
    yield
    assert empty.process.poll() is None, empty.output()
    assert rss_bytes(empty.process.pid) - before < RSS_GROWTH_MAX
    assert empty.client("sts").get_caller_identity()["Account"] == "111122223333"


TARGET, JSON = ("X-Amz-Target", "DynamoDB_20120810.ListTables"), ("Content-Type", "application/x-amz-json-1.0")


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff\xfe", b'{"Limit":"' + b"x" * 70000, b"[" * 100_000, b'{"a":' * 100_000],
                         ids=["open", "list", "not_utf8", "open_text", "deep_list", "deep_object"])
def test_malformed_json(empty, body):
    status, answer = request(empty, headers=[TARGET, JSON], body=body)
    assert status == 400
    assert "SerializationException" in json.loads(answer)["__type"]


def test_form_with_too_many_parameters(empty):
    body = b"Action=GetCallerIdentity&Version=2011-06-15&" + b"&".join(b"a%d=1" % i for i in range(20_000))
    status, _ = request(empty, headers=[("Content-Type", "application/x-www-form-urlencoded")], body=body)
    assert status == 400


def test_headers_of_ten_megabytes(empty):
    answer = raw(empty, b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Large: " + b"a" * (10 << 20))
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431")  # a reset may overtake the answer


SMUGGLING = {
    "both_lengths": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two_lengths": b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "signed_length": b"Content-Length: +4\r\n\r\nabcd",
    "negative_length": b"Content-Length: -1\r\n\r\n",
    "unknown_coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "space_before_colon": b"Content-Length : 4\r\n\r\nabcd",
    "folded_header": b"X-A: b\r\n c\r\n\r\n",
    "two_hosts": b"Host: evil.example\r\n\r\n",
    "bad_chunk": b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "chunk_size_overflow": b"Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\na\r\n0\r\n\r\n",
    "bare_line_feeds": b"Content-Length: 0\n\nGET /_parvis/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "chunked_twice": b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "coding_in_two_headers": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "null_in_header": b"X-A: a\0b\r\n\r\n",
}


@pytest.mark.parametrize("shape", SMUGGLING)
def test_smuggling_shapes(empty, shape):
    answer = raw(empty, b"POST / HTTP/1.1\r\nHost: localhost\r\n" + SMUGGLING[shape], half_close=True)
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501")), answer[:200]
    assert answer.count(b"HTTP/1.1 ") == 1  # what follows is never taken for a second request


def test_slow_clients_hold_nobody_back(empty):
    slow = [socket.create_connection(("127.0.0.1", empty.port)) for _ in range(200)]
    try:
        for peer in slow:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: local")
        status, _ = request(empty, "GET", "/_parvis/health")
        assert status == 200
        slow[0].settimeout(20)  # the head's deadline is 10 s
        answer = slow[0].recv(4096)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 408")
    finally:
        for peer in slow:
            peer.close()


# What one connection may cost while it waits, with what has been sent so far.
@pytest.mark.parametrize("sent, kib_max", [(b"", 24), (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 60_000, 160)], ids=["silent", "unfinished_head"])
def test_many_connections(empty, sent, kib_max):
    count = 800
    before, peers = rss_bytes(empty.process.pid), []
    try:
        for _ in range(count):
            peers.append(socket.create_connection(("127.0.0.1", empty.port)))
            peers[-1].sendall(sent)
        status, _ = request(empty, "GET", "/_parvis/health")
        assert status == 200
        assert (rss_bytes(empty.process.pid) - before) / count < kib_max << 10
    finally:
        for peer in peers:
            peer.close()


def test_pipelined_requests_that_nobody_reads(empty):
    one = b"GET /_parvis/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
    before, sent = rss_bytes(empty.process.pid), 0
    with socket.create_connection(("127.0.0.1", empty.port)) as peer:
        peer.settimeout(1)
        with pytest.raises(TimeoutError):  # the server stops reading when its answers are not taken
            for _ in range(20_000):
                sent += peer.send(one * 100)
        status, _ = request(empty, "GET", "/_parvis/health")
        assert status == 200
        assert rss_bytes(empty.process.pid) - before < 16 << 20


def test_bodies_over_the_limit_are_not_read(empty):
    answer = raw(empty, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 68719476736\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")
    chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    answer = raw(empty, b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 1100)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 413")  # a reset may overtake the answer


@pytest.mark.parametrize("headers, host", [
    ([("Origin", "https://evil.example")], None),
    ([("Sec-Fetch-Site", "cross-site")], None),
    ([], "evil.example"),
    ([], "127.0.0.1.evil.example"),
], ids=["foreign_origin", "cross_site", "rebound_host", "host_that_looks_local"])
@pytest.mark.parametrize("path", ["/", "/_parvis/health"])
def test_foreign_pages_are_refused(empty, headers, host, path):
    status, _ = request(empty, "GET" if path != "/" else "POST", path, [TARGET, *headers], b"" if path != "/" else b"{}", host)
    assert status == 403


def archive(entries):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for entry, content in entries:
            package.writestr(entry, content)
    return out.getvalue()


def link():
    entry = zipfile.ZipInfo("index.js")
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return entry


PACKAGES = {
    "not_a_zip": lambda: b"not a zip",
    "cut_off": lambda: archive([("index.js", "x" * 1000)])[:60],
    "empty": lambda: archive([]),
    "parent_path": lambda: archive([("../evil.js", "x")]),
    "absolute_path": lambda: archive([("/tmp/evil.js", "x")]),
    "symlink": lambda: archive([(link(), "/etc/passwd")]),
    "bomb": lambda: archive([("index.js", b"\0" * (300 << 20))]),
}


@pytest.mark.parametrize("package", PACKAGES)
def test_hostile_packages(empty, package):
    with pytest.raises(ClientError) as refused:
        empty.client("lambda").create_function(FunctionName="hostile-" + package.replace("_", "-"), Runtime="nodejs22.x", Handler="index.handler",
                                               Role="arn:aws:iam::111122223333:role/r", Code={"ZipFile": PACKAGES[package]()})
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"


FUNCTIONS = {
    "exits": ("process.exit(3)", "Unhandled"),
    "throws": ("throw new Error('no')", "Unhandled"),
    "prints_a_lot": ("for (let i = 0; i < 20000; ++i) console.log('x'.repeat(1000)); return 1", None),
    "answers_a_cycle": ("const a = {}; a.a = a; return a", "Unhandled"),
    "answers_too_much": ("return 'x'.repeat(7 << 20)", "Unhandled"),
    "hangs": ("await new Promise((r) => setTimeout(r, 60000))", "Unhandled"),
    "spins": ("for (;;) {}", "Unhandled"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_hostile_functions(empty, name):
    code, error = FUNCTIONS[name]
    functions = empty.client("lambda")
    function = "hostile-" + name.replace("_", "-")
    functions.create_function(FunctionName=function, Runtime="nodejs22.x", Handler="index.handler", Role="arn:aws:iam::111122223333:role/r",
                              Timeout=1 if name in ("hangs", "spins") else 30,
                              Code={"ZipFile": archive([("index.js", "exports.handler = async () => {" + code + "}")])})
    functions.get_waiter("function_active_v2").wait(FunctionName=function, WaiterConfig={"Delay": 1})
    answer = functions.invoke(FunctionName=function)
    assert answer["StatusCode"] == 200
    assert answer.get("FunctionError") == error
    functions.delete_function(FunctionName=function)


def resources(count):
    return "Resources:\n" + "".join(f"  R{i}: {{Type: 'AWS::IAM::Role', Properties: {{AssumeRolePolicyDocument: {{}}}}}}\n" for i in range(count))


ROLE = "{Type: 'AWS::IAM::Role', Properties: {AssumeRolePolicyDocument: {}, Description: %s}}"
TEMPLATES = {
    "not_yaml": "a: [",
    "alias_bomb": "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)),
    "cycle": "Resources:\n  A: " + ROLE % "!Ref B" + "\n  B: " + ROLE % "!Ref A" + "\n",
    "too_many_resources": resources(501),
    "deep_nesting": "a: " + "[" * 5000 + "]" * 5000,
    "deep_sub": "Resources:\n  A: " + ROLE % ("{'Fn::Sub': ['${x}', {x: " * 40 + "y" + "}]}" * 40) + "\n",
    "unknown_sub": "Resources:\n  A: " + ROLE % "!Sub '${Nothing}'" + "\n",
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_hostile_templates(binary, tmp_path, name):
    template = tmp_path / "template.yaml"
    template.write_text(TEMPLATES[name])
    ended = subprocess.run([binary, "validate", str(template)], capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1, (ended.returncode, ended.stdout, ended.stderr)
    assert "template.yaml" in ended.stdout + ended.stderr
