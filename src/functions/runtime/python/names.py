"""Stands before the client. Where a worker shares the host's network, AWS's names are those of the platform, whose ports and names the
engine tells at start; elsewhere the worker's own network does that (src/functions/network). Child processes are not covered."""


def turn_names(told):
    import re
    import socket

    plain, secured, *domains = told.split(",")
    plain, secured = int(plain), int(secured)
    ours = re.compile(rf"(^|\.)({'|'.join(map(re.escape, domains))})\.?$", re.IGNORECASE)
    prefixed = re.compile(r"[-.]127\.0\.0\.1$")  # what SDKs make of the platform's address and a host prefix
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *more, **named):
        name = host.decode("latin-1") if isinstance(host, (bytes, bytearray)) else host
        if isinstance(name, str) and ours.search(name):
            return real("127.0.0.1", secured if str(port) in ("443", "https") else plain, *more, **named)
        return real("127.0.0.1" if isinstance(name, str) and prefixed.search(name) else host, port, *more, **named)

    socket.getaddrinfo = getaddrinfo


