"""HTTP Basic authentication, for scripts; off unless `API_BASIC_AUTH` is set."""

from typing import Any

from drf_spectacular.authentication import BasicScheme
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed, Throttled

from accounts.views import find_account_key
from api.throttling import Throttle, client_ip


class BasicAuthentication(authentication.BasicAuthentication):
    """Takes username or e-mail address. Wrong passwords are throttled and counted as at the login.

    Right ones are not counted: every request has one.
    """

    www_authenticate_realm = "Footfall"

    def authenticate_credentials(self, userid: str, password: str, request: Any = None) -> Any:
        counted = [("login", client_ip(request))]
        if account := find_account_key(userid):
            counted.append(("login_account", account))
        throttles = [(Throttle(), *one) for one in counted]
        for throttle, scope, ident in throttles:
            if not throttle.allow(scope, ident, count_it=False):
                raise Throttled(throttle.wait())
        try:
            return super().authenticate_credentials(userid, password, request)
        except AuthenticationFailed:
            for throttle, scope, ident in throttles:
                throttle.allow(scope, ident)
            raise


class BasicAuthenticationScheme(BasicScheme):  # type: ignore[no-untyped-call]
    """Describes it in the schema as the one that it is based on."""

    target_class = "accounts.basic.BasicAuthentication"
