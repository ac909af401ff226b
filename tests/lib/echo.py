"""A what-is-my-address service on loopback: says what the test tells it to."""
from lib.httpd import Reply, Server


class Echo(Server):
    def __init__(self, answer="5.6.7.8", **kw):
        self.answer = answer  # text or bytes of the body
        super().__init__(**kw)

    def handle(self, r):
        body = self.answer if isinstance(self.answer, bytes) else (self.answer + "\n").encode()
        return Reply(200, body, {"content-type": "text/plain"})
