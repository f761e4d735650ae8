"""People with an account, and the clients that they send requests with."""

from itertools import count
from typing import Any

from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from accounts.models import User

numbers = count(1)


def make_user(**fields: Any) -> User:
    name = f"user{next(numbers)}"
    return User.objects.create_user(name, f"{name}@example.com", "secret", **fields)


def client_of(user: User | None) -> APIClient:
    """Return a client that sends JSON with the user's token; without one if there is no user."""
    client = APIClient()
    if user:
        token, _ = Token.objects.get_or_create(user=user)
        client.credentials(HTTP_AUTHORIZATION=f"Token {token.key}")
    client.default_format = "json"
    return client


def post_raw(client: APIClient, address: str, body: Any, kind: str = "application/json") -> Any:
    """Send bytes as they are."""
    return client.generic("POST", address, body, content_type=kind)
