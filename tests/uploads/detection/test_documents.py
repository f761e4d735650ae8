"""Office documents and other packages, told by what is in them."""

import io
import struct
import zipfile

import pytest

from tests.uploads.run_processor import detected_as
from uploads.detection.media_type import TypeRefused
from uploads.models import Kind

OPEN_XML = "application/vnd.openxmlformats-officedocument."
ODF = "application/vnd.oasis.opendocument."


def package(*names: str, **contents: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (*((name, "<a/>" * 9_000) for name in names), *contents.items()):
            archive.writestr(name, content)
    return out.getvalue()


def types(main: str) -> dict[str, str]:
    override = f'<Override PartName="/main.xml" ContentType="{main}"/>'
    other = '<Default Extension="xml" ContentType="application/xml"/>'
    return {"[Content_Types].xml": f"<Types>{other}{override}</Types>"}


@pytest.mark.parametrize(
    ("main", "content_type"),
    [
        *(
            (f"{OPEN_XML}{name}.main+xml", f"{OPEN_XML}{name}")
            for name in (
                *("wordprocessingml.document", "wordprocessingml.template"),
                *("spreadsheetml.sheet", "spreadsheetml.template"),
                *("presentationml.presentation", "presentationml.slideshow"),
                "presentationml.template",
            )
        ),
        *(
            (f"application/vnd.ms-{name}.macroEnabled.main+xml",
             f"application/vnd.ms-{name}.macroEnabled.12")
            for name in ("word.document", "excel.sheet", "powerpoint.presentation", "excel.addin")
        ),
        ("application/vnd.ms-excel.sheet.binary.macroEnabled.main",
         "application/vnd.ms-excel.sheet.binary.macroEnabled.12"),
        ("application/vnd.ms-word.template.macroEnabledTemplate.main+xml",
         "application/vnd.ms-word.template.macroEnabled.12"),
        ("application/vnd.ms-visio.drawing.main+xml", "application/vnd.ms-visio.drawing"),
        ("application/vnd.ms-package.xps-fixeddocumentsequence+xml",
         "application/vnd.ms-xpsdocument"),
        ("text/plain", "application/zip"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("first", [(), ("customXml/item1.xml", "_rels/.rels", "docProps/app.xml")])
def test_open_xml_whatever_the_order_of_its_parts(
    main: str, content_type: str, first: tuple[str, ...]
) -> None:
    assert detected_as(package(*first, **types(main))).content_type == content_type


@pytest.mark.parametrize("name", ["text", "spreadsheet", "presentation", "graphics", "formula"])
def test_opendocument(name: str) -> None:
    by_type = package("content.xml", mimetype=f"{ODF}{name}")
    entry = f'<m:file-entry xmlns:m="urn:m" m:media-type="{ODF}{name}" m:full-path="/"/>'
    by_manifest = package("content.xml", **{"META-INF/manifest.xml": f"<a>{entry}</a>"})

    for content in (by_type, by_manifest):
        found = detected_as(content)
        assert (found.kind, found.content_type) == (Kind.OTHER, f"{ODF}{name}")


@pytest.mark.parametrize(
    ("contents", "content_type"),
    [
        ({"mimetype": "application/epub+zip\n", "a": ""}, "application/epub+zip"),
        ({"mimetype": "text/html"}, "application/zip"),
        ({"mimetype": "<script>"}, "application/zip"),
        ({"META-INF/MANIFEST.MF": ""}, "application/java-archive"),
        ({"AndroidManifest.xml": "", "classes.dex": ""}, "application/vnd.android.package-archive"),
        ({"META-INF/manifest.xml": "<broken"}, "application/zip"),
        ({"a.txt": "a"}, "application/zip"),
        ({}, "application/zip"),
    ],
)
def test_other_packages(contents: dict[str, str], content_type: str) -> None:
    assert detected_as(package(**contents)).content_type == content_type


def ole(*names: str, root_class: bytes = bytes(16)) -> bytes:
    """Return an OLE file of empty streams: a header, a table of sectors, a directory."""
    header = struct.pack(
        "<8s16sHHHHH6sIIIIIIIIII",
        *(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", bytes(16), 0x3E, 3, 0xFFFE, 9, 6, bytes(6)),
        *(0, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0, 0),
    ) + struct.pack("<108I", *([0xFFFFFFFF] * 108))  # fmt: skip
    sectors = -(-(len(names) + 1) // 4)
    chain = [0xFFFFFFFD, *range(2, sectors + 1), 0xFFFFFFFE]
    table = struct.pack("<128I", *chain, *([0xFFFFFFFF] * (128 - len(chain))))
    directory = entry("Root Entry", 5, child=1 if names else -1, root_class=root_class)
    for number, name in enumerate(names, 1):
        directory += entry(name, 2, right=number + 1 if number < len(names) else -1)
    return header + table + directory.ljust(sectors * 512, b"\0")


def entry(
    name: str, kind: int, *, child: int = -1, right: int = -1, root_class: bytes = bytes(16)
) -> bytes:
    written = name.encode("utf-16-le")
    return struct.pack(
        "<64sHBBiii16sIQQIQ",
        *(written, len(written) + 2, kind, 1, -1, right, child, root_class),
        *(0, 0, 0, 0xFFFFFFFE, 0),
    )


@pytest.mark.parametrize(
    ("stream", "content_type"),
    [
        ("WordDocument", "application/msword"),
        ("Workbook", "application/vnd.ms-excel"),
        ("Book", "application/vnd.ms-excel"),
        ("PowerPoint Document", "application/vnd.ms-powerpoint"),
        ("VisioDocument", "application/vnd.visio"),
        ("Quill", "application/x-mspublisher"),
        ("__properties_version1.0", "application/vnd.ms-outlook"),
        ("EncryptedPackage", "application/encrypted"),
        ("Anything", "application/x-ole-storage"),
    ],
)
def test_ole_types_are_told_apart(stream: str, content_type: str) -> None:
    found = detected_as(ole("CompObj", "SummaryInformation", stream, "Other"))

    assert (found.kind, found.content_type) == (Kind.OTHER, content_type)


@pytest.mark.parametrize("number", ["82", "84", "86"])
def test_windows_installer_is_an_executable(number: str) -> None:
    content = ole("A", root_class=bytes.fromhex(f"{number}100c0000000000c000000000000046"))
    for broken in (content, content[:-300]):
        with pytest.raises(TypeRefused, match="application/x-msi"):
            detected_as(broken)
    with pytest.raises(TypeRefused, match="application/x-msi"):
        detected_as(ole("SummaryInformation", "\u4840\u3f3f\u4577"))


def test_what_is_broken_keeps_its_family() -> None:
    assert detected_as(package(**types(f"{OPEN_XML}a.main+xml"))[:50]).kind == Kind.ARCHIVE
    assert detected_as(ole("WordDocument")[:600]).content_type == "application/x-ole-storage"
