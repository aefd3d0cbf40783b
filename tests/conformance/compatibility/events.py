"""Reads a platform's event stream while a test runs."""
import contextlib
import http.client
import json
import socket
import threading
import time


class Events:
    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.connection.request("GET", "/_parvis/events")
        self.answer, self.seen = self.connection.getresponse(), []
        self.socket = self.connection.sock or self.answer.fp.raw._sock
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):  # close() ends the reading
            for line in self.answer:
                if line.startswith(b"data:"):
                    self.seen.append(json.loads(line[5:]))

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.connection.close()

    def call(self, operation, timeout=10):
        """The first event about a call of `operation`."""
        return self.first(lambda event: event["type"] == "call" and event["operation"] == operation, timeout)

    def first(self, wanted, timeout=10):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            for event in list(self.seen):
                if wanted(event):
                    return event
            time.sleep(0.02)
        raise AssertionError(f"no such event in {timeout} s; seen: {self.seen[-20:]}")


@contextlib.contextmanager
def events_of(platform):
    events = Events(platform.port)
    try:
        yield events
    finally:
        events.close()


def wait_for(look, timeout=10):
    deadline = time.monotonic() + timeout
    while not look():
        assert time.monotonic() < deadline, f"nothing in {timeout} s"
        time.sleep(0.02)
