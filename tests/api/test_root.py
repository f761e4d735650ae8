"""GET /api/v1/."""

from django.test import Client
from django.urls import reverse

from project.urls import API_ROOT


def test_root_names_the_addresses_of_the_asked_host(client: Client) -> None:
    response = client.get("/api/v1/", headers={"host": "localhost:8000"})
    assert response.status_code == 200
    assert response.json()["pages"] == f"http://localhost:8000{reverse('page-list')}"


def test_every_address_of_the_root_answers(client: Client, db: None) -> None:
    addresses = client.get("/api/v1/").json()
    assert list(addresses) == list(API_ROOT)
    for address in addresses.values():
        assert client.get(address).status_code in (200, 401, 405)  # some take POST, or a token
