"""Servers that speak TLS, with certificates of a private authority."""

import ipaddress
import select
import socket
import ssl
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LOOPBACK = "127.0.0.1"


class Authority:
    """An authority that no system knows. Its certificate is in the file `ca`."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self.ca, self.server = directory / "ca.pem", directory / "server.pem"
        own, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "private authority")])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, LOOPBACK)])
        basic = x509.BasicConstraints(ca=True, path_length=0)
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))])
        made = {
            self.ca: self._certificate(issuer, own, issuer, own, basic),
            self.server: self._certificate(subject, key, issuer, own, address),
        }
        for file, certificate in made.items():
            file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        with self.server.open("ab") as both:
            both.write(
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            )

    @staticmethod
    def _certificate(
        subject: x509.Name, key: ec.EllipticCurvePrivateKey,
        issuer: x509.Name, signing: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType,
    ) -> x509.Certificate:  # fmt: skip
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(
            issuer, subject, key.public_key(), x509.random_serial_number(),
            now - timedelta(days=1), now + timedelta(days=1),
        )  # fmt: skip
        return builder.add_extension(extension, critical=False).sign(signing, hashes.SHA256())


class Encrypted:
    """`with Encrypted(redis_url, authority) as server:` the same Redis with TLS, at `port`."""

    def __init__(self, upstream: str, authority: Authority) -> None:
        self._parts = urlsplit(upstream)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(authority.server)
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = self._listener.getsockname()[1]
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                thread = threading.Thread(target=self._serve, args=(self._listener.accept()[0],))
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, self._connect() as server:
            client.settimeout(5.0)
            with self._context.wrap_socket(client, server_side=True) as encrypted:
                while self._pass_on(encrypted, server):
                    pass

    def _pass_on(self, client: ssl.SSLSocket, server: socket.socket) -> bool:
        """Pass on what one of them has said; return False at the end."""
        both: list[socket.socket] = [client, server]
        said = [client] if client.pending() else select.select(both, [], [], 0.05)[0]
        for one in said:
            if not (data := one.recv(65536)):
                return False
            (server if one is client else client).sendall(data)
        return not self._ended.is_set()

    def _connect(self) -> socket.socket:
        if self._parts.scheme != "unix":
            return socket.create_connection((self._parts.hostname or "", self._parts.port or 0))
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._parts.path)
        return server
