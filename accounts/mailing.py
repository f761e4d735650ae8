"""Mails to people who may not have asked for them: how many go out."""

from django.http import HttpRequest
from rest_framework.request import Request

from accounts.addresses import mailbox
from api.throttling import Throttle, client_of, digest


def seconds_until_allowed(request: Request | HttpRequest, address: str) -> float:
    """Count a mail that this client has sent to this address; 0.0 if it may be.

    Counted by the mailbox and not by the account: an account can be deleted and made again.
    """
    throttle = Throttle()
    for scope, ident in (("mail", client_of(request)), ("mail_address", digest(mailbox(address)))):
        if not throttle.within(scope, ident):
            return throttle.wait()
    return 0.0
