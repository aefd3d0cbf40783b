"""Small debuggers for tests: Chrome's DevTools Protocol (Node.js) and the Debug Adapter Protocol (Python), and source maps."""
import base64
import json
import re
import socket
import time
import urllib.request

import websocket

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def targets(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=20) as answer:
        return json.loads(answer.read())


class NodeDebugger:
    """Attaches to what listens on a port, as a front end does: asks for the targets, then opens the first one's WebSocket."""

    def __init__(self, port):
        self.url = targets(port)[0]["webSocketDebuggerUrl"]
        self.socket = websocket.create_connection(self.url, timeout=20, suppress_origin=True)
        self.next, self.events = 0, []

    def ask(self, method, **params):
        self.next += 1
        self.socket.send(json.dumps({"id": self.next, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.next:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def wait(self, method, suits=lambda params: True, timeout=20):
        self.socket.settimeout(timeout)
        while True:
            for message in self.events:
                if message["method"] == method and suits(message["params"]):
                    self.events.remove(message)
                    return message["params"]
            self.events.append(json.loads(self.socket.recv()))

    def start(self):
        self.ask("Runtime.enable")
        self.ask("Debugger.enable")
        self.ask("Runtime.runIfWaitingForDebugger")

    def script_of(self, source):
        """The script that was made of this source, and its map."""
        found = self.wait("Debugger.scriptParsed", lambda params: source in " ".join(read_map(params).get("sources", [])))
        return found, read_map(found)

    def close(self):
        self.socket.close()


def read_map(script):
    head, _, data = script.get("sourceMapURL", "").partition("base64,")
    if not data or not head.startswith("data:application/json"):
        return {}
    return json.loads(base64.b64decode(data))


def decode(mappings):
    """(generated line, source index, source line), all from 0, of the first segment that maps it. Source: the source map format, ECMA-426."""
    source = line = 0
    for at, segments in enumerate(mappings.split(";")):
        for segment in segments.split(","):
            values, value, shift = [], 0, 0
            for letter in segment:
                digit = DIGITS.index(letter)
                value |= (digit & 31) << shift
                shift += 5
                if not digit & 32:
                    values.append(-(value >> 1) if value & 1 else value >> 1)
                    value = shift = 0
            if len(values) >= 4:
                source += values[1]
                line += values[2]
                yield at, source, line


def generated_line(source_map, source, line):
    """Where line `line` (from 1) of a source stands in the script (from 0)."""
    index = next(number for number, name in enumerate(source_map["sources"]) if name.endswith(source))
    return next(at for at, of, original in decode(source_map["mappings"]) if of == index and original == line - 1)


class PythonDebugger:
    """Attaches to debugpy as VS Code does."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.held, self.next, self.messages = b"", 0, []
        self.ask("initialize", adapterID="test", pathFormat="path", linesStartAt1=True)
        self.attach = self.send("attach", justMyCode=False)
        self.wait(lambda message: message.get("event") == "initialized")

    def send(self, command, **arguments):
        self.next += 1
        body = json.dumps({"seq": self.next, "type": "request", "command": command, "arguments": arguments}).encode()
        self.socket.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return self.next

    def read(self):
        while b"\r\n\r\n" not in self.held:
            self.more()
        head, self.held = self.held.split(b"\r\n\r\n", 1)
        length = int(re.search(rb"Content-Length: (\d+)", head)[1])
        while len(self.held) < length:
            self.more()
        body, self.held = self.held[:length], self.held[length:]
        return json.loads(body)

    def more(self):
        piece = self.socket.recv(65536)
        assert piece, "debugpy has gone"
        self.held += piece

    def wait(self, suits):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for message in self.messages:
                if suits(message):
                    self.messages.remove(message)
                    return message
            self.messages.append(self.read())
        raise TimeoutError

    def ask(self, command, **arguments):
        number = self.send(command, **arguments)
        answer = self.wait(lambda message: message.get("request_seq") == number)
        assert answer["success"], answer
        return answer.get("body")

    def start(self, file, *lines):
        self.ask("setBreakpoints", source={"path": str(file)}, breakpoints=[{"line": line} for line in lines])
        self.ask("configurationDone")
        self.wait(lambda message: message.get("request_seq") == self.attach)

    def close(self):
        self.socket.close()
