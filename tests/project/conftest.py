from pathlib import Path

import pytest
from pytest_django import Settings

from catalog.films import tasks


@pytest.fixture
def no_worker(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(tasks.generate, "apply_async", lambda *_, **__: None)
