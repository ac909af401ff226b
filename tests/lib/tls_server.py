"""Small HTTPS servers on loopback with good and bad certificates, to hold our outgoing TLS against.

In a test:

    certificates = make_certificates(tmp_path)           # certificates / "ca.pem" is what homeport shall trust
    with TlsServer(certificates, "expired") as server:
        url = f"https://localhost:{server.port}/"        # BearSSL checks names only: not 127.0.0.1

By hand: python3 tests/lib/tls_server.py FOLDER prints "kind port" for every kind and serves until killed.
Needs the openssl program.
"""

import contextlib
import http.server
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import threading
import warnings

# kind: certificate, lowest and highest TLS version, what homeport is to make of it
T = ssl.TLSVersion
KINDS = {
    "rsa": ("rsa", T.TLSv1_2, T.TLSv1_3, "answered"),
    "ec": ("ec", T.TLSv1_2, T.TLSv1_3, "answered"),
    "tls12": ("rsa", T.TLSv1_2, T.TLSv1_2, "answered"),
    "chain": ("chain", T.TLSv1_2, T.TLSv1_2, "answered"),
    "unknown": ("unknown", T.TLSv1_2, T.TLSv1_3, "not trusted"),
    "selfsigned": ("selfsigned", T.TLSv1_2, T.TLSv1_3, "not trusted"),
    "leafonly": ("leafonly", T.TLSv1_2, T.TLSv1_3, "not trusted"),
    "wrong": ("wrong", T.TLSv1_2, T.TLSv1_3, "another name"),
    "expired": ("expired", T.TLSv1_2, T.TLSv1_3, "expired or is not valid yet"),
    "future": ("future", T.TLSv1_2, T.TLSv1_3, "expired or is not valid yet"),
    "weak": ("weak", T.TLSv1_2, T.TLSv1_3, "under 2048 bits"),
    "sha1": ("sha1", T.TLSv1_2, T.TLSv1_3, "bad signature"),
    "tls13": ("rsa", T.TLSv1_3, T.TLSv1_3, "TLS 1.2 is the newest"),
    "tls11": ("rsa", T.TLSv1_1, T.TLSv1_1, "TLS"),
    "plain": (None, None, None, "no TLS on this port"),
    "closes": (None, None, None, "refused the TLS handshake"),
    "silent": (None, None, None, "handshake"),
}

AUTHORITY = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
LEAF = "subjectAltName=DNS:{}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"


def _openssl(folder, *arguments):
    subprocess.run(["openssl", *map(str, arguments)], cwd=folder, check=True, capture_output=True)


def _key(folder, name, kind):
    if kind == "ec":
        _openssl(folder, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")
    else:
        _openssl(folder, "genrsa", "-out", f"{name}.key", kind)


def _certificate(folder, name, issuer, extensions, key=2048, subject="localhost", start="20200101000000Z",
                 end="20491231235959Z", digest="sha256"):
    """issuer None: self-signed. `openssl ca` is the one command of OpenSSL 3.0 that takes both dates."""
    _key(folder, name, key)
    _openssl(folder, "req", "-new", "-key", f"{name}.key", "-subj", f"/CN={subject}", "-out", f"{name}.csr")
    (folder / f"{name}.ext").write_text(extensions)
    (folder / f"{name}.db").write_text("")
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=x\n[x]\nnew_certs_dir=.\ndatabase=$ENV::DB\nrand_serial=yes\npolicy=p\n"
        "unique_subject=no\n[p]\ncommonName=supplied\n"
    )
    who = ["-selfsign", "-keyfile", f"{name}.key"] if issuer is None else ["-cert", f"{issuer}.pem", "-keyfile",
                                                                           f"{issuer}.key"]
    environment = dict(os.environ, DB=f"{name}.db")
    subprocess.run(["openssl", "ca", "-batch", "-notext", "-config", "ca.cnf", "-in", f"{name}.csr", "-out",
                    f"{name}.pem", "-extfile", f"{name}.ext", "-startdate", start, "-enddate", end, "-md", digest, *who],
                   cwd=folder, check=True, capture_output=True, env=environment)


def make_certificates(folder):
    """Writes ca.pem (to trust) and a certificate with key for every kind; gives back the folder."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    leaf = LEAF.format("localhost")
    _certificate(folder, "ca", None, AUTHORITY, subject="homeport test authority")
    _certificate(folder, "other", None, AUTHORITY, subject="an unknown authority")
    _certificate(folder, "middle", "ca", AUTHORITY, subject="homeport test intermediate")
    _certificate(folder, "rsa", "ca", leaf)
    _certificate(folder, "ec", "ca", leaf, key="ec")
    _certificate(folder, "leafonly", "middle", leaf)
    _certificate(folder, "unknown", "other", leaf)
    _certificate(folder, "selfsigned", None, leaf)
    _certificate(folder, "wrong", "ca", LEAF.format("other.example"), subject="other.example")
    _certificate(folder, "expired", "ca", leaf, end="20200201000000Z")
    _certificate(folder, "future", "ca", leaf, start="20480101000000Z")
    _certificate(folder, "weak", "ca", leaf, key=1024)
    _certificate(folder, "sha1", "ca", leaf, digest="sha1")
    (folder / "chain.pem").write_text((folder / "leafonly.pem").read_text() + (folder / "middle.pem").read_text())
    (folder / "chain.key").write_text((folder / "leafonly.key").read_text())
    return folder


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        tls = self.connection.version() if isinstance(self.connection, ssl.SSLSocket) else None
        body = json.dumps({"path": self.path, "tls": tls, "pad": "x" * 20000}).encode()
        self.server.request_count += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class TlsServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, certificates, kind):
        certificate, lowest, highest, self.expected = KINDS[kind]
        self.kind = kind
        self.context = None
        self.held = []
        self.request_count = 0
        self.connection_count = 0
        if certificate is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            # SECLEVEL=0: weak keys, SHA-1 and TLS 1.1 are what some kinds are about.
            self.context.set_ciphers("ALL:@SECLEVEL=0")
            folder = pathlib.Path(certificates)
            self.context.load_cert_chain(folder / f"{certificate}.pem", folder / f"{certificate}.key")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.1 is meant
                self.context.minimum_version = lowest
                self.context.maximum_version = highest
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = self.server_address[1]

    def get_request(self):
        connection, address = super().get_request()
        self.connection_count += 1
        connection.settimeout(10)
        if self.context is not None:
            connection = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def finish_request(self, request, client_address):
        if self.kind == "closes":
            request.recv(1)
        elif self.kind == "silent":
            self.held.append(request.dup())
        elif self.kind == "plain":
            request.recv(65536)
            request.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        else:
            super().finish_request(request, client_address)

    def shutdown_request(self, request):
        if self.kind == "silent":
            request.close()  # its duplicate in `held` keeps the connection open
        else:
            super().shutdown_request(request)

    def handle_error(self, request, client_address):
        pass  # refused handshakes are what most kinds are for

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *arguments):
        self.shutdown()
        self.server_close()
        for held in self.held:
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)
            held.close()


def main():
    folder = make_certificates(sys.argv[1])
    with contextlib.ExitStack() as stack:
        for kind in KINDS:
            server = stack.enter_context(TlsServer(folder, kind))
            print(kind, server.port, server.expected, sep="\t", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
