"""A Server-Sent Events reader on its own thread."""
import json
import threading

import httpx

from lib.wait import wait_until


class Events:
    def __init__(self, api, last_id=None):
        headers = dict(api.http.headers) | ({"Last-Event-ID": last_id} if last_id else {})
        self.http = httpx.Client(base_url=api.server.base, headers=headers, timeout=httpx.Timeout(10, read=60), trust_env=False)
        self.context = self.http.stream("GET", "/api/v1/events")
        self.response = self.context.__enter__()
        assert self.response.status_code == 200, self.response.read()
        assert self.response.headers["content-type"].startswith("text/event-stream")
        self.events, self.comments, self.ended = [], 0, False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        now = {}
        try:
            for line in self.response.iter_lines():
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    name, _, value = line.partition(":")
                    value = value.removeprefix(" ")
                    now[name] = now[name] + "\n" + value if name == "data" and "data" in now else value
                elif "data" in now:
                    now["json"] = json.loads(now["data"])
                    self.events.append(now)
                    now = {}
                else:
                    now = {}
        except (httpx.HTTPError, RuntimeError, OSError):
            pass
        self.ended = True

    def wait(self, text, timeout=10):
        """The first event whose data has this text."""
        return wait_until(lambda: next((e for e in list(self.events) if text in e["data"]), None), timeout,
                          f"an event with {text}; seen {[e['data'][:200] for e in self.events]}")

    def close(self):
        try:
            self.context.__exit__(None, None, None)
        except Exception:
            pass
        self.http.close()

    __enter__ = lambda self: self
    __exit__ = lambda self, *a: self.close()
