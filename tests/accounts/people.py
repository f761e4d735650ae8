"""Users of the tests, and their requests."""

from itertools import count
from typing import Any
from uuid import uuid4

from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from accounts.models import User

PASSWORD = "analytical engine"
ADA: dict[str, Any] = {"username": "ada", "email": "Ada@example.com", "password": PASSWORD}

USERS = "/api/v1/auth/users/"
ME = f"{USERS}me/"
LOGIN = "/api/v1/auth/token/login/"
LOGOUT = "/api/v1/auth/token/logout/"


def make_ada(**fields: Any) -> User:
    return User.objects.create_user(**ADA, **fields)


def sign_in(client: APIClient, user: User) -> str:
    """Have the client send the user's token, and return it."""
    token, _ = Token.objects.get_or_create(user=user)
    client.credentials(HTTP_AUTHORIZATION=f"Token {token.key}")
    return str(token.key)


addresses = (
    f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in count(uuid4().int % 2**23)
)
"""Of clients, each different."""
