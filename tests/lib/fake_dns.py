"""A DNS server that takes updates with TSIG and refuses them as told: what Knot cannot be brought to do.

mode: "ok", "BADTIME", "BADSIG", "BADKEY", "REFUSED", "SERVFAIL", "NOTZONE", "silent", "unsigned" (an answer
without TSIG), "trouble" (SERVFAIL without TSIG), "forged" (an answer signed with another key). clock_offset_s is how far this server's clock is ahead.
"""
import base64
import socket
import struct
import threading
import time

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rrset
import dns.tsig
import dns.update

from lib.knot import KEY_NAME, SECRET
from lib.tsig import signed
from lib.wait import free_port, wait_until

TSIG_ERRORS = {"BADSIG": 16, "BADKEY": 17, "BADTIME": 18}


class FakeDns:
    def __init__(self, mode="ok", clock_offset_s=0):
        self.mode, self.clock_offset_s = mode, clock_offset_s
        self.key = dns.tsig.Key(KEY_NAME, SECRET, "hmac-sha256")
        self.other = dns.tsig.Key(KEY_NAME, base64.b64encode(b"x" * 32).decode(), "hmac-sha256")
        self.seen, self.taken = [], []  # (message, TSIG time) of all, and of those carried out
        self.port = free_port()
        self.server = f"127.0.0.1:{self.port}"
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.tcp = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve_udp, daemon=True).start()
        threading.Thread(target=self._serve_tcp, daemon=True).start()

    def now(self):
        return int(time.time()) + self.clock_offset_s

    def wait_seen(self, count, timeout=20):
        return wait_until(lambda: len(self.seen) >= count and self.seen, timeout, f"{count} updates")

    def close(self):
        for s in (self.udp, self.tcp):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    __enter__ = lambda self: self
    __exit__ = lambda self, *a: self.close()

    def answer(self, wire):
        q = dns.message.from_wire(wire, keyring=lambda m, n: False)  # TSIG is read, not judged
        tsig = q.tsig[0] if q.tsig else None
        r = dns.message.make_response(dns.message.from_wire(wire, keyring=lambda m, n: False)) if q.opcode() != dns.opcode.UPDATE \
            else self._blank(q)
        if tsig is None:
            r.set_rcode(dns.rcode.REFUSED)
            return r.to_wire()
        at = tsig.time_signed
        self.seen.append((q, at))
        if self.mode == "silent":
            return None
        if self.mode in ("BADSIG", "BADKEY"):
            r.set_rcode(dns.rcode.NOTAUTH)
            return signed(r, None, at, error=TSIG_ERRORS[self.mode])
        late = abs(at - self.now()) > tsig.fudge
        if self.mode == "BADTIME" or late:
            r.set_rcode(dns.rcode.NOTAUTH)
            return signed(r, self.key, at, request_mac=tsig.mac, error=18, other=struct.pack("!HI", self.now() >> 32, self.now() & 0xFFFFFFFF))
        if self.mode in ("REFUSED", "SERVFAIL", "NOTZONE"):
            r.set_rcode(dns.rcode.from_text(self.mode))
        elif self.mode == "ok":
            self.taken.append((q, at))
        if self.mode == "trouble":
            r.set_rcode(dns.rcode.SERVFAIL)
        if self.mode in ("unsigned", "trouble"):
            return r.to_wire()
        return signed(r, self.other if self.mode == "forged" else self.key, self.now(), request_mac=tsig.mac)

    @staticmethod
    def _blank(q):
        r = dns.message.Message(q.id)
        r.flags = dns.flags.QR | dns.opcode.to_flags(q.opcode())
        if q.opcode() == dns.opcode.UPDATE:
            r.sections[0] = list(q.sections[0])
        return r

    def _serve_udp(self):
        while True:
            try:
                wire, peer = self.udp.recvfrom(65535)
                if not wire:
                    return
                out = self.answer(wire)
                if out:
                    self.udp.sendto(out, peer)
            except OSError:
                return

    def _serve_tcp(self):
        while True:
            try:
                c, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._one_tcp, args=(c,), daemon=True).start()

    def _one_tcp(self, c):
        with c, c.makefile("rb") as f:
            while len(head := f.read(2)) == 2:
                out = self.answer(f.read(struct.unpack("!H", head)[0]))
                if out:
                    c.sendall(struct.pack("!H", len(out)) + out)
