"""A network namespace for one test: the main thread moves into it, so all it starts is in there too."""
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        e = ctypes.get_errno()
        raise OSError(e, f"{what}: {os.strerror(e)}")


def ip(*args, check=True):
    r = subprocess.run(["ip", *args], capture_output=True, text=True)
    assert not check or r.returncode == 0, f"ip {' '.join(args)}: {r.stderr}"
    return r.stdout


class Namespace:
    def __init__(self):
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        _check(libc.unshare(CLONE_NEWNET), "unshare")
        ip("link", "set", "lo", "up")

    def interface(self, name="wan0"):
        """A link that is up; its peer stays in the same namespace, so nothing can leave."""
        ip("link", "add", name, "type", "veth", "peer", "name", name + "p")
        for n in (name, name + "p"):
            with open(f"/proc/sys/net/ipv6/conf/{n}/accept_dad", "w") as f:
                f.write("0")  # addresses are usable at once: no duplicate address detection
            ip("link", "set", n, "up")
        return name

    def leave(self):
        _check(libc.setns(self.home, CLONE_NEWNET), "setns")
        os.close(self.home)
