"""All user interface texts are translated to Russian."""

import ast
import re
from collections.abc import Iterator
from gettext import GNUTranslations
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.test import Client
from django.utils.translation import templatize

from tests.support.pages import make_page, make_text

APPS = ("accounts", "api", "catalog", "footfall", "project", "uploads")
RUSSIAN = settings.BASE_DIR / "locale/ru/LC_MESSAGES"
CALLS = ("_", "gettext", "gettext_lazy", "gettext_noop", "ngettext")
CONTEXT_CALLS = ("pgettext", "pgettext_lazy")  # of their texts, the second one is translated
QUOTED = r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\""""
PLACEHOLDER = r"%(?:\(\w+\))?[sd]"

ADVICE = "run `manage.py makemessages --locale ru --no-obsolete --add-location file` and translate"


def test_every_text_is_translated() -> None:
    catalog = polib.pofile(str(RUSSIAN / "django.po"))
    assert [entry.msgid for entry in catalog if not entry.translated()] == [], "are not translated"
    assert texts_in_code() == {entry.msgid for entry in catalog}, ADVICE


def test_compiled_translations_are_those_of_the_source() -> None:
    with (RUSSIAN / "django.mo").open("rb") as file:
        compiled = GNUTranslations(file)
    for entry in polib.pofile(str(RUSSIAN / "django.po")):
        if entry.msgid_plural:
            found, text = compiled.ngettext(entry.msgid, "", 1), entry.msgstr_plural[0]
        else:
            found, text = compiled.gettext(entry.msgid), entry.msgstr
            if entry.msgctxt:
                found = compiled.pgettext(entry.msgctxt, entry.msgid)
        assert found == text, "older than django.po: run `manage.py compilemessages`"


def test_translations_have_the_placeholders_of_the_text() -> None:
    for entry in polib.pofile(str(RUSSIAN / "django.po")):
        for text in entry.msgstr_plural.values() or [entry.msgstr]:
            assert placeholders(text) == placeholders(entry.msgid_plural or entry.msgid), entry


@pytest.mark.django_db
def test_admin_speaks_russian(admin_client: Client) -> None:
    page = make_page(make_text("Salt"), title="Sea")
    html = admin_client.get(
        f"/admin/pages/page/{page.pk}/change/", headers={"Accept-Language": "ru"}
    ).content.decode()
    shown = "Материалы на странице", "Добавить имеющийся материал", "Убрать", "Страницы", "Подсчёт"
    for text in shown:
        assert text in html


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("language", "detail"), [("ru", "Страницы 0 нет."), ("en", "There is no page 0.")]
)
def test_api_answers_in_the_language_of_the_client(
    client: Client, language: str, detail: str
) -> None:
    answer = client.get("/api/v1/pages/0/", headers={"Accept-Language": language})
    assert answer.json() == {"detail": detail}


def texts_in_code() -> set[str]:
    files = [path for app in APPS for path in (settings.BASE_DIR / app).rglob("*")]
    return {
        text
        for path in files
        if "migrations" not in path.parts
        for text in (texts_in_python(path) if path.suffix == ".py" else texts_in_template(path))
    }


def texts_in_python(path: Path) -> Iterator[str]:
    code = path.read_text()
    for node in ast.walk(ast.parse(code)) if "gettext" in code else ():
        match node:  # what is not a literal was marked where it is one, by gettext_noop
            case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(text)), *_]) if (
                name in CALLS
            ):
                yield text
            case ast.Call(func=ast.Name(id=name), args=[_, ast.Constant(value=str(text)), *_]) if (
                name in CONTEXT_CALLS
            ):
                yield text


def texts_in_template(path: Path) -> Iterator[str]:
    if path.suffix != ".html":
        return
    code = templatize(path.read_text())
    for quoted in re.findall(rf"\b(?:n?gettext|_)\(\s*u?({QUOTED})", code):
        yield ast.literal_eval(quoted)


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(PLACEHOLDER, text))
