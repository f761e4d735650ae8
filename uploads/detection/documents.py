"""Tells apart what a ZIP or an OLE file contains: office documents of many types."""

import re
import zipfile
from contextlib import suppress
from typing import BinaryIO
from xml.etree import ElementTree

from uploads.detection.ole import Directory

ZIP_MAGIC = (b"PK\3\4", b"PK\5\6", b"PK\7\x08PK\3\4", b"PK00PK\3\4")
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MSI = "application/x-msi"
MAX_DIRECTORY_BYTES = 4 * 1024**2
"""Of a ZIP. Documents have fewer entries; a larger directory takes too much memory."""
MAX_PART_BYTES = 256 * 1024
END = 66_000
"""Bytes at the end of a ZIP in which its directory's place stands."""
ZIP_64 = b"PK\6\7"
"""Says that the size stands elsewhere; only for archives with more than 65,535 entries or 4 GiB."""
MEDIA_TYPE = re.compile(r"(application|image)/[a-z][\w.+-]{2,100}")

# Main parts of OOXML packages whose type is not just their name without `.main+xml`.
PACKAGES = {
    "application/vnd.ms-package.xps-fixeddocumentsequence+xml": "application/vnd.ms-xpsdocument",
    "application/vnd.ms-package.3dmanufacturing-3dmodel+xml": "model/3mf",
    "application/vnd.openxmlformats-officedocument.presentationml.slide+xml": (
        "application/vnd.openxmlformats-officedocument.presentationml.slide"
    ),
}
MAIN_PART = re.compile(r"(application/vnd\.[\w.-]+?)\.main(\+xml)?")

# Streams of OLE files that only one type has.
STREAMS = (
    ("WordDocument", "application/msword"),
    ("Workbook", "application/vnd.ms-excel"),
    ("Book", "application/vnd.ms-excel"),
    ("PowerPoint Document", "application/vnd.ms-powerpoint"),
    ("PP40", "application/vnd.ms-powerpoint"),
    ("PP97_DUALSTORAGE", "application/vnd.ms-powerpoint"),
    ("VisioDocument", "application/vnd.visio"),
    ("Quill", "application/x-mspublisher"),
    ("__properties_version1.0", "application/vnd.ms-outlook"),
    ("__nameid_version1.0", "application/vnd.ms-outlook"),
    ("EncryptedPackage", "application/encrypted"),
    ("Props9", "application/vnd.ms-project"),
    ("Props12", "application/vnd.ms-project"),
    ("Props14", "application/vnd.ms-project"),
    ("BodyText", "application/x-hwp"),
    ("MatOST", "application/vnd.ms-works"),
)
MSI_CLASSES = tuple(
    bytes.fromhex(f"{number}100c0000000000c000000000000046") for number in ("82", "84", "86")
)
"""Class of the root of a transform, a package and a patch of Windows Installer."""
MSI_STREAM = re.compile("^\u4840")
"""How names of tables begin in a database of Windows Installer."""


def zip_type(file: BinaryIO) -> str:
    """Return the type of what a ZIP contains, whatever the order of its parts."""
    with suppress(Exception):  # whatever is wrong with it, it is a ZIP
        if _directory_bytes(file) <= MAX_DIRECTORY_BYTES:
            with zipfile.ZipFile(file) as archive:
                return _package_type(archive) or "application/zip"
    return "application/zip"


def _directory_bytes(file: BinaryIO) -> int:
    """Return the size of the directory of a ZIP as its end says; 0 if it says none."""
    file.seek(max(0, file.seek(0, 2) - END))
    end = file.read()
    start = end.rfind(b"PK\5\6")
    if start < 0:
        return 0
    if end[max(0, start - 20) :].startswith(ZIP_64):
        return MAX_DIRECTORY_BYTES + 1
    return int.from_bytes(end[start + 12 : start + 16], "little")


def _package_type(archive: zipfile.ZipFile) -> str | None:
    names = set(archive.namelist())
    if "[Content_Types].xml" in names and (found := _ooxml_type(archive)):
        return found
    if "mimetype" in names:
        name = _read(archive, "mimetype", 120).decode("ascii", "replace").strip()
        if MEDIA_TYPE.fullmatch(name):
            return name
    if "META-INF/manifest.xml" in names and (found := _odf_type(archive)):
        return found
    if "AndroidManifest.xml" in names and {"classes.dex", "resources.arsc"} & names:
        return "application/vnd.android.package-archive"
    return "application/java-archive" if "META-INF/MANIFEST.MF" in names else None


def _read(archive: zipfile.ZipFile, name: str, size: int = MAX_PART_BYTES) -> bytes:
    with archive.open(name) as part:
        return part.read(size)


def _ooxml_type(archive: zipfile.ZipFile) -> str | None:
    """Return the type that the main part of an OOXML package tells."""
    text = _read(archive, "[Content_Types].xml").decode("utf-8", "replace")
    names = re.findall(r"""ContentType\s*=\s*["']([^"']+)["']""", text)
    for main in filter(None, map(MAIN_PART.fullmatch, names)):
        return re.sub(r"\.(macroEnabled)(Template)?$", r".\1.12", main[1])
    return next((PACKAGES[name] for name in names if name in PACKAGES), None)


def _odf_type(archive: zipfile.ZipFile) -> str | None:
    """Return the type that the manifest of an ODF file without `mimetype` tells."""
    with suppress(ElementTree.ParseError):
        for entry in ElementTree.fromstring(_read(archive, "META-INF/manifest.xml")):  # noqa: S314
            values = {key.rpartition("}")[2]: value for key, value in entry.attrib.items()}
            name = values.get("media-type", "")
            if values.get("full-path") == "/" and MEDIA_TYPE.fullmatch(name):
                return name
    return None


def ole_type(file: BinaryIO) -> str:
    """Return the type of an OLE file, by the class of its root and what is at its top."""
    directory = Directory(file)
    names = {name.lower() for name in directory.top_names()}
    if directory.root_class() in MSI_CLASSES or any(map(MSI_STREAM.match, names)):
        return MSI
    return next(
        (content_type for stream, content_type in STREAMS if stream.lower() in names),
        "application/x-ole-storage",
    )
