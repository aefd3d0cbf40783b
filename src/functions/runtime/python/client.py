"""The Python side of a worker: one process, one function version, one call at a time. Frames are described in
src/functions/README.md. Behaviour follows the public contract of Lambda's Python runtimes (Developer Guide: "Define Lambda
function handler in Python", "Using the Lambda context object", "Python function errors"), texts of errors and the log format included."""
import importlib
import io
import json
import logging
import os
import signal
import struct
import sys
import time
import traceback

CHANNEL, ANSWERS = 3, 4
FLAG_LOGGED, FLAG_EXITING = 1, 2
READ_BYTES = 16384  # a packet: read with less room, the rest of it would be lost
RESPONSE_BYTES_MAX = 6291556
LOG_FD = 1
SDK_PACKAGES = {"boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six"}


class Channel:
    """Messages come over descriptor 3 and go over 4. Reading blocks: between calls the process stands still, as in Lambda."""

    def __init__(self):
        self.held = bytearray()

    def fill(self, count):
        while len(self.held) < count:
            piece = os.read(CHANNEL, READ_BYTES)
            if not piece:
                os._exit(0)  # the engine is gone
            self.held += piece

    def read(self):
        self.fill(6)
        length = struct.unpack_from("<I", self.held)[0]
        kind = chr(self.held[4])
        self.fill(6 + length)
        body = bytes(self.held[6:6 + length])
        del self.held[:6 + length]
        return kind, body

    def send(self, kind, flags, body):
        write_all(ANSWERS, struct.pack("<IcB", len(body), kind.encode(), flags) + body)


def write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


class Log:
    mark, used, request_id, as_json = b"", False, "", False

    @classmethod
    def write(cls, data):
        cls.used = True
        write_all(LOG_FD, data)

    @classmethod
    def take_mark(cls):
        sys.stdout.flush()
        sys.stderr.flush()
        if not cls.used:
            return 0
        write_all(LOG_FD, cls.mark)
        cls.used = False
        return FLAG_LOGGED


class LogStream(io.RawIOBase):
    def __init__(self, number):
        super().__init__()
        self.number = number

    def writable(self):
        return True

    def fileno(self):
        return self.number

    def write(self, data):
        Log.write(bytes(data))
        return len(data)


class LogHandler(logging.Handler):
    """Each record is one event: a line end within it travels as a carriage return."""

    def emit(self, record):
        Log.write((self.format(record).replace("\n", "\r") + "\n").encode(errors="replace"))


class JsonFormatter(logging.Formatter):
    """A record as one JSON object. What a caller adds by `extra` is part of it; a dict as the message stays one."""
    OWN = set(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {"aws_request_id", "tenant_id", "taskName", "message"}

    def format(self, record):
        out = {"timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)), "level": logging.getLevelName(min(50, max(0, record.levelno)) // 10 * 10),
               "message": record.msg if isinstance(record.msg, dict) and not record.args else record.getMessage(), "logger": record.name}
        if record.exc_info and record.exc_info[0]:
            kind, error, trace = record.exc_info
            out |= {"stackTrace": traceback.format_tb(trace), "errorType": kind.__name__, "errorMessage": str(error)}
        out["requestId"] = record.aws_request_id or None
        if record.exc_info:
            out["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        out |= {name: value for name, value in vars(record).items() if name not in self.OWN and name not in out}
        return json.dumps({name: value for name, value in out.items() if value is not None}, ensure_ascii=False, default=str)


class RequestIdFilter(logging.Filter):
    def filter(self, record):
        record.aws_request_id = Log.request_id
        return True


def patch_output():
    for name, number in (("stdout", 1), ("stderr", 2)):
        setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(LogStream(number), 8192), encoding="utf-8", errors="backslashreplace", line_buffering=True))
    handler = LogHandler()
    handler.setFormatter(logging.Formatter("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"))
    handler.formatter.converter = time.gmtime
    handler.addFilter(RequestIdFilter())
    logging.root.addHandler(handler)


def choose_log_format():
    """By the variables that Lambda sets from the function's LoggingConfig."""
    Log.as_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
    if not Log.as_json:
        return
    for handler in logging.root.handlers:
        if isinstance(handler, LogHandler):
            handler.setFormatter(JsonFormatter())
    level = {"TRACE": "DEBUG"}.get(os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper(), os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper())
    if level in ("DEBUG", "INFO", "WARN", "ERROR", "FATAL"):
        logging.root.setLevel(level)


class ClientContext:
    def __init__(self, given):
        self.custom, self.env = given.get("custom"), given.get("env")
        client = given.get("client")
        self.client = client and type("Client", (), {key: client.get(name) for key, name in (
            ("installation_id", "installation_id"), ("app_title", "app_title"), ("app_version_name", "app_version_name"),
            ("app_version_code", "app_version_code"), ("app_package_name", "app_package_name"))})()


class CognitoIdentity:
    def __init__(self):
        self.cognito_identity_id = self.cognito_identity_pool_id = None


class LambdaContext:
    def __init__(self, call, deadline):
        self.aws_request_id, self.invoked_function_arn = call["id"], call["arn"]
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.identity = CognitoIdentity()
        given = call.get("clientContext")
        self.client_context = ClientContext(json.loads(given)) if given else None
        self.tenant_id = None
        self._deadline = deadline

    def get_remaining_time_in_millis(self):
        return max(0, int((self._deadline - time.time()) * 1000))

    def log(self, message):
        Log.write(str(message).encode(errors="replace"))


class Fault(Exception):
    def __init__(self, kind, message, frames=()):
        super().__init__(message)
        self.kind, self.message, self.frames = kind, message, list(frames)


def own_frames(error):
    """The traceback below this file, as Lambda gives it."""
    frames = traceback.extract_tb(error.__traceback__)
    while frames and (frames[0].filename == __file__ or frames[0].filename.startswith("<frozen importlib")):
        frames = frames[1:]
    return traceback.format_list(frames)


def describe(error):
    if isinstance(error, Fault):
        return {"errorMessage": error.message, "errorType": error.kind, "requestId": Log.request_id, "stackTrace": error.frames}
    return {"errorMessage": str(error), "errorType": type(error).__name__, "requestId": Log.request_id, "stackTrace": own_frames(error)}


def log_error(description):
    if Log.as_json:
        line = {"timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "level": "ERROR", **description}
        return Log.write((json.dumps(line, ensure_ascii=False) + "\n").encode(errors="replace"))
    lines = [f"[ERROR] {description['errorType']}: {description['errorMessage']}"] if description["errorMessage"] else [f"[ERROR] {description['errorType']}"]
    if description["stackTrace"]:
        lines.append("Traceback (most recent call last):")
        lines += [line.rstrip("\n") for line in description["stackTrace"]]
    Log.write(("\r".join(line.replace("\n", "\r") for line in lines) + "\n").encode(errors="replace"))


def open_debugger(channel, orders):
    """debugpy comes from where the engine says, or from where Python looks; its folder stays out of the function's path."""
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # else a warning about frozen modules in every log
    path = list(sys.path)
    if orders["debugpy"]:
        sys.path.insert(0, orders["debugpy"])
    try:
        import debugpy
        _, port = debugpy.listen(("127.0.0.1", 0))
    except ImportError:
        return channel.send("N", 0, b"debugpy is not installed: run python3 -m venv .venv && .venv/bin/pip install debugpy beside the template, or install Debian's python3-debugpy")
    except Exception as error:
        return channel.send("N", 0, f"debugpy cannot start: {type(error).__name__}: {error}".encode())
    finally:
        sys.path[:] = path
    channel.send("N", 0, str(port).encode())
    if orders["wait"]:
        debugpy.wait_for_client()


def find_handler(name):
    try:
        module_name, function_name = name.rsplit(".", 1)
    except ValueError as error:
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{name}': {error}")
    module_path = module_name.replace("/", ".")
    try:
        module = importlib.import_module(module_path)
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}", own_frames(error))
    except SyntaxError as error:
        raise Fault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}",
                    [f"  File \"{error.filename}\" Line {error.lineno}\n    {error.text or ''}"])
    if not hasattr(module, function_name):
        raise Fault("Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'")
    return getattr(module, function_name)


class Encoder(json.JSONEncoder):
    def default(self, item):
        if type(item).__name__ == "Decimal":
            return float("nan") if item != item else float(item)
        return super().default(item)


ENCODER = Encoder(ensure_ascii=False, allow_nan=False)


def dump(value):
    try:
        return ENCODER.encode(value).encode()
    except Exception as error:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}")


def forget_preloaded(folders):
    """A package that the function brings itself wins over the one that was loaded before there was a function."""
    found = {entry.split(".")[0] for folder in folders if os.path.isdir(folder) for entry in os.listdir(folder)}
    if not found & SDK_PACKAGES:
        return
    for name in [name for name in sys.modules if name.split(".")[0] in SDK_PACKAGES]:
        del sys.modules[name]


def load(channel, request):
    if told := os.environ.get("_PARVIS_AWS"):
        turn_names(told)
    if request["env"] is not None:
        os.environ.clear()
        os.environ.update(request["env"])
    else:
        os.environ.pop("_PARVIS_AWS", None)
        request["handler"] = os.environ.get("_HANDLER", request["handler"])  # a wrapper script may have set its own
    Log.mark = request["mark"].encode("latin-1")
    os.chdir(request["codeDir"])
    time.tzset()
    choose_log_format()
    extra = [path for path in os.environ.get("PYTHONPATH", "").split(":") if path]
    own = [request["codeDir"], *extra, "/opt/python"]
    sys.path[:0] = own
    sys.path_importer_cache.clear()  # folders that were not there when the interpreter started are now
    forget_preloaded(own)
    if request.get("debug"):
        open_debugger(channel, request["debug"])
    try:
        handler = find_handler(request["handler"])
    except SystemExit as error:
        os._exit(error.code if isinstance(error.code, int) else 1)
    except BaseException as error:
        description = describe(error)
        log_error(description)
        channel.send("E", Log.take_mark() | FLAG_EXITING, json.dumps(description).encode())
        os._exit(1)
    channel.send("R", Log.take_mark(), b"")
    return handler


class Trace:
    """The trace header changes with every call, and the C library keeps each value that setenv() ever gave a variable. So this one
    is a piece of memory in the environment that is written to in place (putenv(3))."""
    NAME, BYTES_MAX = b"_X_AMZN_TRACE_ID", 1024
    memory = None

    @classmethod
    def show(cls, header):
        value = (header or "").encode()
        if not value or len(cls.NAME) + len(value) + 2 > cls.BYTES_MAX:
            cls.memory = None
            os.environ.pop(cls.NAME.decode(), None)
            return
        if cls.memory is None:
            import ctypes
            cls.memory = ctypes.create_string_buffer(cls.NAME + b"=", cls.BYTES_MAX)
            ctypes.CDLL(None).putenv(cls.memory)
        cls.memory.value = cls.NAME + b"=" + value
        os.environ._data[cls.NAME] = value


def invoke(channel, handler, body):
    meta_bytes = struct.unpack_from("<I", body)[0]
    call = json.loads(body[4:4 + meta_bytes])
    Log.request_id = call["id"]
    Trace.show(call.get("trace"))
    context = LambdaContext(call, time.time() + call["timeoutMs"] / 1000)
    try:
        try:
            event = json.loads(body[4 + meta_bytes:] or b"null")
        except ValueError as error:
            raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}")
        answer = dump(handler(event, context))
    except SystemExit as error:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(error.code if isinstance(error.code, int) else 0 if error.code is None else 1)
    except BaseException as error:
        description = describe(error)
        log_error(description)
        return channel.send("F", Log.take_mark(), json.dumps(description).encode())
    if len(answer) > RESPONSE_BYTES_MAX:
        return channel.send("F", Log.take_mark(), json.dumps({
            "errorType": "Function.ResponseSizeTooLarge",
            "errorMessage": f"Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes)."}).encode())
    channel.send("O", Log.take_mark(), answer)


def preload():
    """What nearly every function loads is loaded before there is a function."""
    for name in ("boto3", "botocore.session", "urllib.request", "decimal", "datetime", "uuid", "base64", "http.client", "ssl"):
        try:
            importlib.import_module(name)
        except ImportError:
            pass


def serve():
    """Never returns. Descriptors 1 to 3 are this worker's."""
    global LOG_FD
    LOG_FD = os.dup(1)  # of its own, so that it stays open whatever the function does to 1 and 2
    channel, handler = Channel(), None
    patch_output()
    channel.send("H", 0, b"")
    while True:
        kind, body = channel.read()
        if kind == "I":
            invoke(channel, handler, body)
        elif kind == "L":
            handler = load(channel, json.loads(body))
        elif kind == "T":
            listener = signal.getsignal(signal.SIGTERM)
            if callable(listener):
                listener(signal.SIGTERM, None)
                Log.take_mark()
            os._exit(0)
        else:
            os._exit(70)


if __name__ == "__main__":
    sys.path[:] = [path for path in sys.path if path and path != os.path.dirname(os.path.abspath(__file__))]
    preload()
    serve()
