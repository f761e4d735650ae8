"""The script for other sites is small, and browsers keep it for a day."""

from contextlib import closing

from django.test import Client


def test_the_script_is_small_and_kept(client: Client) -> None:
    answer = client.get("/static/footfall.js")

    assert answer.status_code == 200
    assert len(b"".join(answer.streaming_content)) < 1_000  # type: ignore[attr-defined]
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert "max-age=86400" in answer.headers["Cache-Control"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"  # for `integrity`


def test_other_files_are_kept_for_less(client: Client) -> None:
    with closing(client.get("/static/front.js")) as other:
        assert "max-age=86400" not in other.headers["Cache-Control"]
