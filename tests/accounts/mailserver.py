"""A mail server on this machine that keeps the mails, and can be slow, strict or broken."""

import socketserver
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Self


class MailServer(socketserver.ThreadingTCPServer):
    """Implements the part of SMTP that smtplib needs. Listens at once, answers inside `with`."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Conversation)
        self.mails: list[EmailMessage] = []
        self.refusals: dict[str, str] = {}
        """Verb -> the response to it, if not success."""
        self.breaks_off = False
        """Whether it accepts the mail and then closes the connection without a response."""

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.shutdown()
        self.server_close()


class Conversation(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.say("220 here")
        while line := self.rfile.readline():
            verb = line[:4].decode().upper().strip()
            if verb in self.server.refusals:
                self.say(self.server.refusals[verb])
            elif verb == "QUIT":
                return self.say("221 bye")
            elif verb == "DATA":
                self.say("354 go on")
                self.server.mails.append(self.read_mail())
                if self.server.breaks_off:
                    return None
                self.say("250 taken")
            else:
                self.say("250 yes")
        return None

    def read_mail(self) -> EmailMessage:
        lines = iter(self.rfile.readline, b".\r\n")
        return message_from_bytes(b"".join(lines), policy=policy.default)

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())
