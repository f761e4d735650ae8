"""Headers for scripts of other origins: those of `CORS_ALLOWED_ORIGINS` may read the API."""

from corsheaders.conf import conf
from corsheaders.middleware import CorsMiddleware
from django.http import HttpRequest


class Cors(CorsMiddleware):
    """Adds nothing, not even `Vary`, while no other origin is allowed."""

    def is_enabled(self, request: HttpRequest) -> bool:
        is_used = conf.CORS_ALLOWED_ORIGINS or conf.CORS_ALLOW_ALL_ORIGINS
        return bool(is_used) and super().is_enabled(request)
