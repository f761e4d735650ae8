"""Limits how many e-mails a client can have sent to people who may not want them."""

from django.http import HttpRequest
from rest_framework.request import Request

from accounts.emails.addresses import mailbox
from api.throttling import Throttle, client_ip, digest


def seconds_until_allowed(request: Request | HttpRequest, address: str) -> float:
    """Count an e-mail from this client to this address; return 0.0 if it may be sent now.

    Counted by mailbox, not by account: an account can be deleted and created again.
    """
    throttle = Throttle()
    for scope, ident in (("mail", client_ip(request)), ("mail_address", digest(mailbox(address)))):
        if not throttle.allow(scope, ident):
            return throttle.wait()
    return 0.0
