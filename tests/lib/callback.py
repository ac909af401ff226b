"""A sink for callbacks and webhooks: takes everything, answers what it is told."""
from lib.httpd import Reply, Server


class Callback(Server):
    def __init__(self, reply=None, **kw):
        self.reply = reply or Reply(200, b"ok", {"content-type": "text/plain"})
        super().__init__(**kw)

    def handle(self, r):
        return self.reply(r) if callable(self.reply) else self.reply
