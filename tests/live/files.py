"""The files of a running service."""

from typing import Any

import requests

from loadtest.common.launcher import Copy


class Files:
    """The files of a running service, over HTTP."""

    def __init__(self, service: Copy) -> None:
        self.api = f"http://127.0.0.1:{service.port}/api/v1"

    def upload(self, name: str, body: bytes, token: str = "") -> int:
        """Upload it once, and return its id: whatever happens to the service, it is taken."""
        answer = requests.post(
            f"{self.api}/upload/",
            files={"file": (name, body)},
            headers={"Authorization": f"Token {token}"} if token else {},
            timeout=60,
        )
        assert answer.status_code == 201, answer.text
        pk: int = answer.json()["id"]
        return pk

    def delete(self, pk: int, token: str) -> None:
        headers = {"Authorization": f"Token {token}"}
        answer = requests.delete(f"{self.api}/files/{pk}/", headers=headers, timeout=60)
        assert answer.status_code == 204, answer.text

    def latest(self, count: int) -> dict[int, dict[str, Any]]:
        """Return the latest files by their ids."""
        found: dict[int, dict[str, Any]] = {}
        for page in range(1, count // 100 + 1):
            parameters: dict[str, int] = {"page": page, "page_size": 100}
            answer = requests.get(f"{self.api}/files/", params=parameters, timeout=60)
            assert answer.status_code == 200, answer.text
            found |= {file["id"]: file for file in answer.json()["results"]}
        return found

    def processed(self) -> int:
        answer = requests.get(f"{self.api}/files/?status=processed&page_size=1", timeout=60)
        count: int = answer.json()["count"]
        return count
