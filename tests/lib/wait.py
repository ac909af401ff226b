"""Waiting for things that happen, with an end; and ports that nobody else takes."""
import random
import socket
import time


def wait_until(fn, timeout=10.0, what="", every=0.02):
    """Calls fn until it answers something true, and returns that. The last answer or error is in the failure."""
    end, last = time.monotonic() + timeout, None
    while True:
        try:
            last = fn()
            if last:
                return last
        except (AssertionError, OSError, LookupError) as e:
            last = e
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what or fn}; last: {last!r}")
        time.sleep(every)


def free_port():
    """A port below the ephemeral range, so that no outgoing connection takes it while a server restarts."""
    for _ in range(200):
        port = random.randrange(20000, 32000)
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as s:
                    s.bind(("127.0.0.1", port))
            return port
        except OSError:
            continue
    raise AssertionError("no free port on 127.0.0.1")
