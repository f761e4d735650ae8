"""What a library imports late is imported before the child can open nothing."""

import sys
from pathlib import Path

import pytest

from uploads import processors


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules are processors, and whose packages can be imported."""
    library = tmp_path / "lazylibrary"
    library.mkdir()
    (library / "__init__.py").write_text("def read(): from lazylibrary import late")
    (library / "late.py").touch()
    (library / "elsewhere.py").write_text("raise OSError('another system')")
    (library / "program.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(processors, "__path__", [*processors.__path__, str(tmp_path)])
    for name in ("lazylibrary", "lazylibrary.late", "uploads.processors.strange"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    processors._load.cache_clear()
    return tmp_path


def test_all_modules_of_its_libraries_are_loaded(folder: Path) -> None:
    (folder / "strange.py").write_text(
        "import lazylibrary, json\nfrom zipfile import ZipFile\n"
        "def process(path, content_type): lazylibrary.read()"
    )

    processors.load_all()

    assert "lazylibrary.late" in sys.modules
    module = sys.modules["uploads.processors.strange"]
    assert processors.libraries(module) == {"lazylibrary"}
    assert processors.find_processor("strange") is module.process


def test_a_processor_may_say_what_to_load(folder: Path) -> None:
    (folder / "strange.py").write_text(
        "import lazylibrary\ndef preload(): lazylibrary.loaded = True\n"
        "def process(path, content_type): pass"
    )

    processors.find_processor("strange")

    assert sys.modules["lazylibrary"].loaded
    assert "lazylibrary.late" not in sys.modules


def test_a_processor_that_cannot_be_loaded_is_in_nobodys_way(folder: Path) -> None:
    (folder / "strange.py").write_text("import not_installed")

    processors.load_all()

    with pytest.raises(ImportError, match="not_installed"):
        processors.find_processor("strange")
    assert callable(processors.find_processor("text"))
