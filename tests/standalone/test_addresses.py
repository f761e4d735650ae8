from pathlib import Path

import pytest

from standalone import addresses


def test_a_store_is_found_where_it_was_remembered(tmp_path: Path) -> None:
    addresses.write(tmp_path, addresses.DATABASE_URL, "postgres://somewhere/footfall")
    addresses.write(tmp_path, addresses.REDIS_URL, "unix:///somewhere?db=0")

    assert addresses.read(tmp_path, addresses.DATABASE_URL) == "postgres://somewhere/footfall"
    assert addresses.read(tmp_path, addresses.REDIS_URL) == "unix:///somewhere?db=0"


@pytest.mark.parametrize("made", [True, False])
def test_a_data_directory_without_a_run_has_no_addresses(tmp_path: Path, made: bool) -> None:
    data_dir = tmp_path if made else tmp_path / "absent"

    assert addresses.read(data_dir, addresses.DATABASE_URL) is None
    assert addresses.read(data_dir, addresses.REDIS_URL) is None
    assert addresses.read(data_dir, addresses.SECRET_KEY) is None


def test_the_secret_key_is_made_once_and_is_the_owners(tmp_path: Path) -> None:
    made = addresses.ensure_secret_key(tmp_path)

    assert len(made) >= 50
    assert (
        addresses.ensure_secret_key(tmp_path)
        == addresses.read(tmp_path, addresses.SECRET_KEY)
        == made
    )
    assert (tmp_path / addresses.SECRET_KEY).stat().st_mode & 0o777 == 0o600


def test_each_data_directory_has_a_key_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()

    assert addresses.ensure_secret_key(tmp_path) != addresses.ensure_secret_key(tmp_path / "other")
