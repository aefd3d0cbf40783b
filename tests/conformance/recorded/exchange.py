"""Recorded requests: how a file of them is made and read, and how one is sent again.

A file is {"client", "version", "recorded" (date), "origin" (commands), "requests": [{"operation", "method", "target", "scope", "headers",
"body", "status"}, …]}. Signatures, security tokens and what changes with every run are taken out; `scope` is the Region and service that the
signature named. A body is text, {"base64": …} or {"repeat": text, "times": n}. What an earlier answer gave (an upload's id, a change set's
ARN) stands as {{number of that request|path in its answer|coding}}.
"""
import base64
import http.client
import json
import re
import time
import urllib.parse
import xml.etree.ElementTree
import zlib

ACCOUNT = "111122223333"
LEFT_OUT = {"authorization", "x-amz-security-token", "host", "connection", "content-length", "x-amz-date", "amz-sdk-invocation-id", "amz-sdk-request",
            "expect", "transfer-encoding", "date", "keep-alive"}
PLACE = re.compile(r"\{\{(\d+)\|([^|{}]+)\|(plain|quoted)\}\}")
QUOTED = {"plain": lambda text: text, "quoted": lambda text: urllib.parse.quote(text, safe="")}


def leaves(body):
    """{path: text} of an answer in JSON or XML: "Table.TableId", "CreateChangeSetResult.Id", repeated ones with a number."""
    found = {}

    def json_leaves(value, path):
        if isinstance(value, dict):
            for name, item in value.items():
                json_leaves(item, f"{path}.{name}" if path else name)
        elif isinstance(value, list):
            for number, item in enumerate(value):
                json_leaves(item, f"{path}[{number}]")
        elif isinstance(value, str):
            found[path] = value

    def xml_leaves(element, path):
        counts = {}
        for child in element:
            name = child.tag.rsplit("}", 1)[-1]
            counts[name] = counts.get(name, 0) + 1
            xml_leaves(child, f"{path}.{name}[{counts[name]}]")
        if not len(element) and element.text:
            found[path] = element.text

    try:
        text = body.decode()
        if text.lstrip().startswith("<"):
            xml_leaves(xml.etree.ElementTree.fromstring(text), "")
        elif text.lstrip().startswith("{"):
            json_leaves(json.loads(text), "")
    except (UnicodeDecodeError, ValueError, xml.etree.ElementTree.ParseError):
        pass
    return found


def pack(body):
    if len(body) > 4096 and body == body[:1] * len(body):
        return {"repeat": body[:1].decode(), "times": len(body)}
    try:
        return body.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}


def unpack(body):
    if isinstance(body, str):
        return body.encode()
    return base64.b64decode(body["base64"]) if "base64" in body else body["repeat"].encode() * body["times"]


def without_secrets(target):
    return re.sub(r"(X-Amz-(?:Signature|Security-Token)|Signature|AWSAccessKeyId)=[^&]*", r"\1=removed", target)


def to_file(exchanges, client, version, origin, recorded):
    """`exchanges`: dicts of operation, method, target, scope, headers, body (bytes), status, answer (bytes), in order."""
    requests, said, given = [], "", {}  # said: all that requests held so far; given: value -> (number, path)
    for one in exchanges:
        packed = pack(one["body"])
        written = {"operation": one["operation"], "method": one["method"], "target": without_secrets(one["target"]), "scope": one["scope"],
                   "headers": {name: value for name, value in one["headers"] if name.lower() not in LEFT_OUT}, "body": packed, "status": one["status"]}
        plain = json.dumps(written)
        for value in sorted(given, key=len, reverse=True):
            number, path = given[value]
            for coding, quoted in QUOTED.items():
                written["target"] = written["target"].replace(quoted(value), "{{%d|%s|%s}}" % (number, path, coding))
                if isinstance(packed, str):
                    written["body"] = written["body"].replace(quoted(value), "{{%d|%s|%s}}" % (number, path, coding))
        said += plain + urllib.parse.unquote(plain)
        # A client asks again until something is there: one request stands for all, and replays ask again, too.
        again = requests and all(written[key] == requests[-1][key] for key in ("operation", "target", "body", "status"))
        number = len(requests) - bool(again)
        for path, value in leaves(one["answer"]).items():
            if len(value) >= 8 and re.search(r"\d", value) and value not in said and value not in given and "\n" not in value:
                given[value] = (number, path)
        if not again:
            requests.append(written)
    return {"client": client, "version": version, "recorded": recorded, "origin": origin, "requests": requests}


def crc32(body):
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


class Replay:
    """Sends the requests of one file to a platform. Placeholders are filled from the answers that this platform gives."""

    def __init__(self, port, requests):
        self.port, self.requests, self.answers = port, requests, {}

    def send(self, number):
        request = self.requests[number]
        target, body = self.fill(request["target"]), request["body"]
        body = self.fill(body).encode() if isinstance(body, str) else unpack(body)
        headers = dict(request["headers"], **{"Content-Length": str(len(body))})
        if isinstance(request["body"], str) and PLACE.search(request["body"]):  # another text than the one that was summed up
            headers = {name: crc32(body) if name.lower() == "x-amz-checksum-crc32" else value for name, value in headers.items()}
        if request["scope"]:
            headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/{request['scope']}/aws4_request, SignedHeaders=host, Signature=0"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(request["method"], target, body=body, headers=headers)
            answer = connection.getresponse()
            self.answers[number] = answer.read()
            return answer.status
        finally:
            connection.close()

    def fill(self, text):
        return PLACE.sub(lambda found: QUOTED[found[3]](self.value(int(found[1]), found[2])), text)

    def value(self, number, path):
        deadline = time.monotonic() + 20
        while path not in leaves(self.answers[number]):  # a stack's outputs are there when it is done
            assert time.monotonic() < deadline, f"request {number} does not give {path}: {self.answers[number][:500]}"
            time.sleep(0.1)
            self.send(number)
        return leaves(self.answers[number])[path]
