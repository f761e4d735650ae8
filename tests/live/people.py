"""People who use the running service over HTTP."""

import re
from itertools import count

import requests

from loadtest.common.launcher import Copy

PASSWORD = "correct horse battery"
numbers = count(1)


class People:
    """Who has an account there; each is known by a token."""

    def __init__(self, service: Copy) -> None:
        self.api = f"http://127.0.0.1:{service.port}/api/v1"
        self._output = service.output

    def register(self, name: str | None = None) -> str:
        """Make an account, sign in, and return the token."""
        name = name or f"reader{next(numbers)}"
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        answer = requests.post(f"{self.api}/auth/users/", json=body, timeout=10)
        assert answer.status_code == 201, answer.text
        return self.sign_in(name, PASSWORD)

    @property
    def staff(self) -> str:
        """The administrator's token."""
        return self.sign_in("admin", self.password)

    @property
    def password(self) -> str:
        """The administrator's, which the first start has printed."""
        found = re.search(r"Administrator admin, password (\S+)", self._output)
        assert found, self._output
        return found[1]

    def sign_in(self, name: str, password: str) -> str:
        body = {"username": name, "password": password}
        answer = requests.post(f"{self.api}/auth/token/login/", json=body, timeout=10)
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["auth_token"]
        return token
