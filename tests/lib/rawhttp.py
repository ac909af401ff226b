"""Raw bytes to a server and what comes back, answer by answer: for requests no honest client would write."""
import re
import socket


class Raw:
    def __init__(self, port, timeout=10):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    __enter__ = lambda self: self
    __exit__ = lambda self, *a: self.sock.close()

    def send(self, data):
        """True when all was taken; False when the other side has closed."""
        try:
            self.sock.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def more(self):
        try:
            chunk = self.sock.recv(65536)
        except ConnectionResetError:
            chunk = b""
        self.buffer += chunk
        return bool(chunk)

    def answer(self, head_only=False):
        """The next answer: (status, headers, body); None when the connection closed without one."""
        while b"\r\n\r\n" not in self.buffer:
            if not self.more():
                return None
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = int(re.match(r"HTTP/1\.1 (\d{3})", lines[0])[1])
        headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
        if status < 200 or status in (204, 304) or head_only:
            return status, headers, b""
        length = int(headers["content-length"])
        while len(self.buffer) < length and self.more():
            pass
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return status, headers, body

    def closed(self, within=5):
        """Whether the other side closes, without saying anything more."""
        self.sock.settimeout(within)
        try:
            return not self.buffer and not self.more()
        except TimeoutError:
            return False


def exchange(port, data, timeout=10, look=False):
    """One connection, these bytes, the first answer: (status, headers, body, closed). closed is only looked for if asked."""
    with Raw(port, timeout) as r:
        r.send(data)
        a = r.answer()
        return (0, {}, b"", True) if a is None else (*a, look and r.closed(5))
