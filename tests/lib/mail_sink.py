"""A real SMTP server (aiosmtpd) on loopback that keeps what it is given, and misbehaves on demand.

    with MailSink() as sink: ...                                        plain
    with MailSink(tls="starttls", certificates=folder) as sink: ...     STARTTLS must come before anything else
    with MailSink(tls="implicit", certificates=folder) as sink: ...     smtps
    sink.fail("RCPT", "451 4.7.1 later")      that reply to the command, until sink.heal()
    sink.fail("DATA", CUT)                    the whole message is taken, then the connection is cut
    sink.fail("DATA", HANG)                   the whole message is taken, then silence
"""
import asyncio
import email
import email.policy
import re
import socket
import ssl
import threading
import warnings

from aiosmtpd.smtp import SMTP, AuthResult

from lib.wait import wait_until

CUT, HANG = object(), object()
USER, PASSWORD = "homeport@mail.example.test", "p w/ö"


class Mail:
    def __init__(self, sender, recipients, raw, session, is_tls):
        self.sender, self.recipients, self.raw = sender, recipients, raw
        self.is_tls, self.user = is_tls, session.sink_user
        self.message = email.message_from_bytes(raw, policy=email.policy.default)
        self.text = self.message.get_content()


class _Server(SMTP):
    """The commands as they come, and faults before aiosmtpd answers."""

    async def _fault(self, command):
        self.owner.commands.append(command)
        fault = self.owner.faults.get(command)
        if fault is HANG:
            await asyncio.sleep(120)
        if fault is CUT:
            self.transport.abort()
        elif fault is not None:
            await self.push(fault)
        return fault is not None

    async def smtp_EHLO(self, arg):
        self.session.sink_user = None
        if not await self._fault("EHLO"):
            await super().smtp_EHLO(arg)

    async def smtp_HELO(self, arg):
        if "EHLO" not in self.owner.faults or not await self._fault("EHLO"):
            await super().smtp_HELO(arg)

    async def smtp_STARTTLS(self, arg):
        if not await self._fault("STARTTLS"):
            await super().smtp_STARTTLS(arg)

    async def smtp_AUTH(self, arg):
        if not await self._fault("AUTH"):
            await super().smtp_AUTH(arg)

    async def smtp_MAIL(self, arg):
        if not await self._fault("MAIL"):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg):
        if not await self._fault("RCPT"):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg):
        if not await self._fault("BEFORE_DATA"):
            await super().smtp_DATA(arg)

    async def smtp_QUIT(self, arg):
        if not await self._fault("QUIT"):
            await super().smtp_QUIT(arg)


class MailSink:
    def __init__(self, tls=None, certificates=None, kind="rsa", auth=False, port=0):
        self.mails, self.commands, self.faults, self.taken = [], [], {}, threading.Event()
        self.tls, self.auth = tls, auth
        self.context = None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificates / f"{kind}.pem", certificates / f"{kind}.key")
        self.loop = asyncio.new_event_loop()
        self.sock = socket.create_server(("127.0.0.1", port))
        self.port = self.sock.getsockname()[1]
        scheme = "smtps" if tls == "implicit" else "smtp"
        self.url = f"{scheme}://{'localhost' if tls else '127.0.0.1'}:{self.port}"
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.set_exception_handler(lambda loop, context: None)  # refused handshakes, cut connections
        context = self.context if self.tls == "implicit" else None
        self.loop.run_until_complete(self.loop.create_server(self.factory, sock=self.sock, ssl=context))
        self.loop.run_forever()

    def factory(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it does not like passwords without TLS; neither do we
            server = self._server()
        server.owner = self
        return server

    def _server(self):
        return _Server(self, hostname="sink.example.test", loop=self.loop, enable_SMTPUTF8=False, decode_data=False,
                       tls_context=self.context if self.tls == "starttls" else None,
                       require_starttls=self.tls == "starttls", authenticator=self._authenticate,
                       auth_required=self.auth, auth_require_tls=self.tls == "starttls",
                       auth_exclude_mechanism=() if self.auth else ("LOGIN", "PLAIN"))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *arguments):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.sock.close()

    def _authenticate(self, server, session, envelope, mechanism, data):
        good = (data.login.decode(), data.password.decode()) == (USER, PASSWORD)
        session.sink_user = USER if good else None
        return AuthResult(success=good, handled=False) if not good else AuthResult(success=True)

    async def handle_DATA(self, server, session, envelope):
        fault = self.faults.get("DATA")
        self.commands.append("DATA")
        self.taken.set()
        if fault is HANG:
            await asyncio.sleep(120)
        if fault is CUT:
            server.transport.abort()
            return "451 cut"
        if isinstance(fault, str):
            return fault
        self.mails.append(Mail(envelope.mail_from, envelope.rcpt_tos, envelope.content, session,
                               self.tls == "implicit" or session.ssl is not None))
        return "250 2.0.0 Ok: queued as 4711"

    # ---- for tests
    def fail(self, command, fault):
        self.faults[command] = fault

    def heal(self):
        self.faults.clear()

    def tries(self):
        return self.commands.count("EHLO")

    def wait_mails(self, count, timeout=10):
        return wait_until(lambda: len(self.mails) >= count and self.mails, timeout, f"{count} mails; {self.commands}")

    def settings(self, **more):
        s = {"smtp.url": self.url, "smtp.from": "Häuschen <homeport@mail.example.test>"}
        if not self.tls:
            s["smtp.starttls"] = "false"
        if self.auth:
            s |= {"smtp.user": USER, "smtp.password": PASSWORD}
        return s | more


def code_of(mail):
    return re.search(r"\b(\d{6})\b", mail.text)[1]
