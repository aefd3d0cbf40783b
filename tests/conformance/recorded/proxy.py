"""A proxy that records what a client sends and passes it to a platform."""
import http.client
import http.server
import re
import threading
import urllib.parse


def scope_of(headers, target):
    found = re.search(r"Credential=[^/]+/\d{8}/([^/]+/[^/]+)/aws4_request", headers.get("Authorization", "")) or \
        re.search(r"X-Amz-Credential=[^/&]+/\d{8}/([^/&]+/[^/&]+)/aws4_request", urllib.parse.unquote(target))
    return found[1] if found else ""


class Proxy:
    def __init__(self, port):
        self.exchanges, lock = [], threading.Lock()
        exchanges = self.exchanges

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def body(self):
                if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                out = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    out += self.rfile.read(size)
                    self.rfile.readline()
                while self.rfile.readline().strip():
                    pass
                return out

            def handle_one(self):
                body = self.body()
                headers = [(name, value) for name, value in self.headers.items() if name.lower() not in ("transfer-encoding", "connection", "expect", "content-length")]
                onward = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
                onward.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in [*headers, ("Content-Length", str(len(body)))]:
                    onward.putheader(name, value)
                onward.endheaders(body)
                answer = onward.getresponse()
                content = answer.read()
                with lock:
                    exchanges.append({"method": self.command, "target": self.path, "headers": headers, "body": body, "status": answer.status,
                                      "answer": content, "scope": scope_of(self.headers, self.path), "id": answer.headers.get("x-amzn-RequestId") or answer.headers.get("x-amz-request-id")})
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Content-Length", answer.headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)
                onward.close()

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = handle_one

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def take(self):
        taken = list(self.exchanges)
        self.exchanges.clear()
        return taken

    def close(self):
        self.server.shutdown()
        self.server.server_close()
