"""A prepared interpreter: it has loaded what Python functions load and is forked for each worker, which then enters its cell.
Its text comes over descriptor 3, and so do its orders (src/functions/zygote.cc): one JSON text a message, with the worker's
descriptors. It runs no code of functions, has one thread and may do what the platform's user may do; a worker gives all of
that up here, before it is told of its function. The engine looks at the result from outside (zygote.cc, verify).

The fork is a bare clone, because namespaces and the engine as the parent can be had in no other way. It does what the C
library's fork does: the new thread id goes where the library keeps it.
Sources: clone(2), fork(2), set_tid_address(2), capset(2), prctl(2), landlock_restrict_self(2), seccomp(2)."""
import base64
import ctypes
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import signal
import socket
import sys
import types

CLONE_PARENT, CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID = 0x8000, 0x200000, 0x1000000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_GET_TID_ADDRESS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 1, 4, 24, 38, 40, 47, 4
LINUX_CAPABILITY_VERSION_3 = 0x20080522
CAPABILITIES_MAX = 63
SECCOMP_FILTER_FLAG_NEW_LISTENER = 8
LANDLOCK_RULE_PATH_BENEATH, LANDLOCK_READ_FILE, LANDLOCK_READ_DIR = 1, 4, 8

libc = ctypes.PyDLL(None, use_errno=True)  # calls keep the interpreter's lock: nothing else may run between clone and the child's repairs
libc.syscall.restype = ctypes.c_long


def call(number, *arguments):
    got = libc.syscall(ctypes.c_long(number), *(ctypes.c_ulong(a) if isinstance(a, int) else a for a in arguments))
    if got < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return got


def prctl(*arguments):
    return libc.prctl(*(ctypes.c_ulong(a) for a in (*arguments, 0, 0, 0, 0)[:5]))


class Elsewhere(importlib.abc.MetaPathFinder):
    """Loads packages from a folder of the host under the names that they will have in the workers' cells."""

    def __init__(self, folder, seen):
        self.folder, self.seen = folder, seen

    def find_spec(self, name, path=None, target=None):
        below = name.replace(".", "/")
        if os.path.isfile(f"{self.folder}/{below}/__init__.py"):
            file, inner = f"{self.seen}/{below}/__init__.py", [f"{self.seen}/{below}"]
        elif os.path.isfile(f"{self.folder}/{below}.py"):
            file, inner = f"{self.seen}/{below}.py", None
        else:
            return None
        finder = self

        class Loader(importlib.machinery.SourceFileLoader):
            def get_data(self, path):
                return super().get_data(finder.host(path))

            def path_stats(self, path):
                return super().path_stats(finder.host(path))

        return importlib.util.spec_from_file_location(name, file, loader=Loader(name, file), submodule_search_locations=inner)

    def host(self, path):
        return self.folder + path[len(self.seen):] if path.startswith(self.seen) else path

    def settle(self):
        """From here on modules are looked for where they seem to be."""
        sys.meta_path.remove(self)
        for module in list(sys.modules.values()):
            spec = getattr(module, "__spec__", None)
            if spec and (spec.origin or "").startswith(self.seen + "/"):
                module.__loader__ = spec.loader = importlib.machinery.SourceFileLoader(spec.name, spec.origin)


def prime(setup):
    """What nearly every use of boto3 costs once per process is done here: modules that are loaded late, lists of services, and the
    service data behind clients, whose parsing takes most of a client's making. Parsed data is handed out once and then parsed anew,
    as ever: no two clients share what one could change. Only where boto3 is there and is one that this knows."""
    try:
        import boto3.session
        from botocore.loaders import JSONFileLoader, Loader
        real, real_list, ready, listed = JSONFileLoader.load_file, Loader.list_available_services, {}, {}
        folders = [setup["sdkDir"] + part for part in ("/botocore/data", "/boto3/data")]
        seen = [setup["sdkSeen"] + part for part in ("/botocore/data", "/boto3/data")]

        def recording(self, path):
            ready[path] = None
            return real(self, path)

        def load_file(self, path):
            return ready.pop(path, None) or real(self, path)

        def list_available_services(self, type_name):
            known = listed.get((type_name, *sorted(path for path in self.search_paths if os.path.isdir(path))))
            return real_list(self, type_name) if known is None else list(known)

        os.environ["AWS_DATA_PATH"] = ":".join(folders)
        JSONFileLoader.load_file = recording
        try:
            session = boto3.session.Session(region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none")
            session.resource("dynamodb", verify=False)
            for name in ("s3", "sqs"):
                session.client(name, verify=False)
            for type_name in ("service-2", "resources-1"):
                for count in (1, 2):
                    listed[(type_name, *sorted(seen[:count]))] = real_list(Loader(extra_search_paths=folders[:count], include_default_search_paths=False), type_name)
        finally:
            JSONFileLoader.load_file, Loader.list_available_services = load_file, list_available_services
            del os.environ["AWS_DATA_PATH"]
        for path in list(ready):
            del ready[path]
            found = real(JSONFileLoader(), path)
            if found is not None:
                ready[path.replace(setup["sdkDir"], setup["sdkSeen"], 1) if setup["sdkDir"] else path] = found
    except Exception:
        pass  # workers pay for it themselves


def prepare(setup):
    client = types.ModuleType("parvis_client")
    client.__file__ = setup["clientSeen"]
    exec(compile(setup["client"], setup["clientSeen"], "exec"), client.__dict__)
    sys.path[:] = [path for path in sys.path if path]
    elsewhere = None
    if setup["sdkDir"]:
        sys.path.insert(0, setup["sdkSeen"])
        if setup["sdkDir"] != setup["sdkSeen"]:
            elsewhere = Elsewhere(setup["sdkDir"], setup["sdkSeen"])
            sys.meta_path.insert(0, elsewhere)
    client.preload()
    prime(setup)
    if elsewhere:
        elsewhere.settle()
    sys.argv = [setup["clientSeen"]]
    client.__name__ = "__main__"
    sys.modules["__main__"] = client
    gc.collect()
    gc.freeze()  # the collector must not write to pages that all workers share
    return client


def drop_ids(order):
    for capability in range(CAPABILITIES_MAX + 1):
        if prctl(PR_CAPBSET_DROP, capability) != 0:
            break  # beyond the kernel's last
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    if order["ownIds"]:
        os.setgroups([])
    os.setresgid(order["id"], order["id"], order["id"])
    os.setresuid(order["id"], order["id"], order["id"])
    header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
    call(order["calls"]["capset"], header, (ctypes.c_uint32 * 6)())
    prctl(PR_SET_DUMPABLE, 1)


def confine(order, rules):
    """Returns the descriptor of watched connects (seccomp_unotify(2)), or None."""
    if order["showsOwnProc"]:

        class Beneath(ctypes.Structure):  # struct landlock_path_beneath_attr
            _pack_ = 1
            _fields_ = [("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32)]
        own = os.open("/proc/self", os.O_PATH | os.O_DIRECTORY)
        call(order["calls"]["landlockRule"], rules, LANDLOCK_RULE_PATH_BENEATH, ctypes.byref(Beneath(LANDLOCK_READ_FILE | LANDLOCK_READ_DIR, own)), 0)
        os.close(own)
    if rules is not None:
        call(order["calls"]["landlock"], rules, 0)
    if order["filter"]:
        text = base64.b64decode(order["filter"])

        class Program(ctypes.Structure):
            _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]
        got = call(order["calls"]["seccomp"], 1, SECCOMP_FILTER_FLAG_NEW_LISTENER if order["watch"] else 0, ctypes.byref(Program(len(text) // 8, text)))
        return got if order["watch"] else None


def become_worker(client, order, fds):
    """In the child. Its parent is the engine. Says on its channel how that went."""
    channel = fds[0]
    try:
        os.setsid()
        if order["namespaces"]:
            if os.read(channel, 1) != b"g":  # the engine has mapped the ids and furnished the cell
                os._exit(70)
            drop_ids(order)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # after the change of ids, which would forget it
        if not order["namespaces"] and os.getppid() != order["parent"]:
            os._exit(70)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        os.chdir(order["directory"])
        os.environ.clear()
        os.environ.update(order["env"])
        sys.path_importer_cache.clear()
        os.dup2(fds[1], 1)
        os.dup2(fds[1], 2)
        rules = fds[3] if len(fds) > 3 else None
        channel = os.dup2(channel, 3, inheritable=False)
        os.dup2(fds[2], 4, inheritable=False)
        connects = confine(order, rules)
        if connects is None:
            os.write(3, b"k")
        else:
            with_it = socket.socket(fileno=3)
            socket.send_fds(with_it, [b"k"], [connects])
            with_it.detach()
        call(order["calls"]["close_range"], 5, 0xffffffff, 0)
    except BaseException as error:
        os.write(channel, f"!{type(error).__name__}: {error}".encode())
        os._exit(71)
    try:
        client.serve()
    finally:
        os._exit(71)


def main():
    control = socket.socket(fileno=3)
    setup = json.loads(control.recv(1 << 20))
    thread_id = ctypes.c_void_p()
    if libc.prctl(PR_GET_TID_ADDRESS, ctypes.byref(thread_id)) != 0 or not thread_id.value:
        raise OSError("prctl(PR_GET_TID_ADDRESS) is not available")
    client = prepare(setup)
    os.chdir("/")  # workers follow when their root changes
    last = (0, thread_id.value) if os.uname().machine == "aarch64" else (thread_id.value, 0)
    control.send(b'{"ready":true}')
    while True:
        text, fds, _, _ = socket.recv_fds(control, 1 << 20, 4)
        if not text:
            os._exit(0)  # the engine is gone
        order = json.loads(text)
        libc.PyOS_BeforeFork()
        pid = libc.syscall(ctypes.c_long(order["calls"]["clone"]), *(ctypes.c_ulong(n) for n in (
            order["flags"] | CLONE_PARENT | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | signal.SIGCHLD, 0, 0, *last)))
        if pid == 0:
            libc.PyOS_AfterFork_Child()
            control.detach()
            become_worker(client, order, fds)
        failed = ctypes.get_errno()
        libc.PyOS_AfterFork_Parent()
        for fd in fds:
            os.close(fd)
        control.send(json.dumps({"pid": pid} if pid > 0 else {"error": os.strerror(failed)}).encode())


main()
