"""Tells text from binary data, and detects its encoding."""

import codecs
import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, Literal

# UTF-32 first: its marks begin with those of UTF-16.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
UNMARKED = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
"""Encodings with NUL bytes, which a text can have without a byte order mark."""
SAMPLE_BYTES = 64 * 1024
SCAN_BYTES = 1024**2
END_OF_FILE = b"\x1a"
"""DOS and CP/M end a text with it."""

CONTROL = re.compile(r"[\0-\6\x0e-\x1a\x1c-\x1f]")
"""Characters that text rarely has; it does have bells, form feeds, ESC (colours) and DEL."""
MARKUP_DECLARATION = re.compile(
    rb"""^\s*<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([\w.:-]+)["']
    |<meta\s[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]+)
    |^@charset\s"([\w.:-]+)";
    |^(?:.*\n)?[ \t\f]*(?:\#|//|;|%|"|/?\*).{0,80}?coding[:=][ \t]*([\w.-]+)
    |^"Content-Type:\stext/plain;\scharset=([\w.:-]+)""",
    re.I | re.X | re.M,
)
"""XML, HTML, CSS, the coding line of sources, gettext."""
DECLARED_WITHIN = 4_096
UNLIKELY_DECLARED = re.compile(
    r"ascii|utf-(7|16|32)|idna|punycode|undefined|.*escape|mbcs|oem|.*_codec|"
    r"(base64|bz2|hex|quopri|rot.?13|uu|zlib)$"
)
"""Codecs that are no encoding of a file that declares it in ASCII. Some take very long."""

# Where a codec has all characters of another one at the same places, and a few more.
WIDER = {
    "ascii": "utf-8",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
}
# Registered names of codecs, where they differ from Python's in more than dashes.
STANDARD_NAMES = {
    "utf-8-sig": "utf-8",
    "utf-16-le": "utf-16le",
    "utf-16-be": "utf-16be",
    "utf-32-le": "utf-32le",
    "utf-32-be": "utf-32be",
    "big5hkscs": "big5-hkscs",
    "hz": "hz-gb-2312",
    "mac-roman": "macintosh",
    "shift_jis": "shift_jis",
}
CHARSETS = {
    "ascii": "us-ascii",
    "cp874": "windows-874",
    "cp932": "shift_jis",
    "cp949": "euc-kr",
    "euc-jis-2004": "euc-jp",
    "iso-2022-jp-2": "iso-2022-jp",
    "mac-cyrillic": "x-mac-cyrillic",
    "shift-jis-2004": "shift_jis",
}
"""The names that browsers have, where they do not know that of `Encoding.name`."""
NO_CODEC = {
    "x-sjis": "cp932",
    "x-mac-cyrillic": "mac-cyrillic",
    "x-gbk": "gbk",
    "x-euc-jp": "euc_jp",
}
USUAL = {
    "big5hkscs": "big5",
    "euc_jis_2004": "euc_jp",
    "iso2022_jp_2": "iso2022_jp",
    "iso2022_jp_ext": "iso2022_jp",
    "iso2022_jp_2004": "iso2022_jp",
    "shift_jis_2004": "shift_jis",
}
"""The usual codec where chardet names a wider one, which few programs know."""
EBCDIC = ("cp037", "cp273", "cp424", "cp500", "cp875", "cp1026", "cp1140")
"""In these 0x40 is a space."""
SEVEN_BITS = re.compile(rb"\x1b[$(]|~\{")
"""How ISO 2022 and HZ begin characters, all of them in ASCII bytes."""
FOREIGN = re.compile(rb"[\x80-\xff]")
C1 = re.compile(r"[\x80-\x9f]")
C1_BYTE = re.compile(rb"[\x80-\x9f]")
LATIN_9 = re.compile(rb"\xa4|[A-Za-z\xc0-\xff][\xa6\xa8\xb4\xb8\xbc\xbd][a-z\xe0-\xff]")
"""A euro sign or a letter of ISO 8859-15, where ISO 8859-1 has a fraction or a lone accent."""
EAST_ASIAN = re.compile(r"[\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff01-\uff5e]+")

SHARES = {"sure": (0.8, 0.95), "unsure": (0.5, 0.75)}
"""The shares of 10,667 excerpts of chardet's and uchardet's texts, of 12 to 3,000 characters, for
which a guess was right: with less than 5 bytes that are not ASCII, and with more."""

Source = Literal["mark", "declared", "content", "guess"]


@dataclass(frozen=True)
class Encoding:
    codec: str
    """Python's name."""
    source: Source = "content"
    """How it is known: from a byte order mark, from what the text declares, from its bytes alone
    (ASCII, UTF-8), or only as the likeliest one."""
    confidence: float = 1.0
    """The share of texts, from 0 to 1, for which a guess like this one is right."""

    @property
    def name(self) -> str:
        """The registered name, if Python knows it, too; else Python's."""
        if self.codec in STANDARD_NAMES:
            return STANDARD_NAMES[self.codec]
        name = re.sub(r"^iso(8859|2022)", r"iso-\1", self.codec.replace("_", "-"))
        if match := re.fullmatch(r"cp(\d+)", name):
            name = f"{'windows-' if match[1].startswith('125') else 'ibm'}{match[1]}"
        return name if _is_known(name) else self.codec

    @property
    def metadata(self) -> dict[str, str | float]:
        return {
            "encoding": self.name,
            "encoding_source": self.source,
            "encoding_confidence": self.confidence,
        }


def _is_known(name: str) -> bool:
    try:
        return bool(codecs.lookup(name))
    except LookupError:
        return False


def decode_head(head: bytes) -> str | None:
    """Return the first bytes of a file as text; None if they are not clearly text.

    Without a byte order mark and not in UTF-8, only the ASCII in it is correct: detecting the
    encoding takes longer (`detect_encoding`).
    """
    text = _decode(head)
    if text is not None and "\x1b$" in text:  # ISO 2022 also shifts
        text = text.translate({0x0E: None, 0x0F: None})
    return None if text is None or CONTROL.search(text) else text


def decode_damaged(head: bytes) -> str | None:
    """Return the same for a text with rare control characters, or in UTF-16 without a mark.

    Binary data that no signature tells must not be taken for it.
    """
    text = _decode(head)
    if text is not None and len(head) > 3:
        allowed = 1 + len(text) // (100 if text.isprintable() or _is_utf8(head) else 1_000)
        if len(CONTROL.findall(text)) <= allowed:
            return text
    return _decode_unmarked(head) if b"\0" in head else None


def _decode(head: bytes) -> str | None:
    head = head.rstrip(END_OF_FILE) if len(head) < SAMPLE_BYTES else head
    encoding = _marked_encoding(head) or "utf-8"
    try:
        return codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return head.decode("latin-1") if encoding.startswith("utf-8") else None


def _is_utf8(head: bytes) -> bool:
    """Return whether it is UTF-8, whose last letter may be cut if it is not the only one."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return not text.isascii() or head.isascii()


def _decode_unmarked(head: bytes) -> str | None:
    """Return a text in UTF-16 or UTF-32 without a byte order mark."""
    encoding = _guess(head)
    if encoding.codec not in UNMARKED:
        return None
    try:
        text = codecs.getincrementaldecoder(encoding.codec)().decode(head)
    except UnicodeDecodeError:
        return None
    unassigned = sum(unicodedata.category(char) in {"Cn", "Co", "Cs"} for char in text[:4_096])
    return None if CONTROL.search(text) or unassigned * 50 > len(text[:4_096]) else text


def sample(file: BinaryIO) -> bytes:
    """Return the part of a file that tells its encoding: around the first byte that is not ASCII.

    The beginning of the file stands before it, since it may declare the encoding.
    """
    head = chunk = file.read(SAMPLE_BYTES)
    if not head.isascii() or b"\x1b" in head or b"\0" in head:
        return head
    before = b""
    while chunk := file.read(SCAN_BYTES):
        if not chunk.isascii():
            start = next(re.finditer(rb"[\x80-\xff]", chunk)).start()
            around = before[-512:] + chunk
            around = around[max(0, len(before[-512:]) + start - 512) :][:SAMPLE_BYTES]
            if len(around) < SAMPLE_BYTES:
                around += file.read(SAMPLE_BYTES)
            return head + around
        before = chunk
    return head


def detect_encoding(sample: bytes, *, whole: bool = False) -> Encoding:
    """Return the encoding of a text. sample: its beginning, and what `sample` adds.

    whole: whether that is all of it, so that no character is cut at its end.
    """
    if encoding := _marked_encoding(sample):
        return Encoding(encoding, "mark")
    declared = _declared_encoding(sample)
    is_wide = sample.count(0) * 10 > len(sample)  # UTF-16 or UTF-32
    if not sample.isascii() and not is_wide and _is_utf8(sample):
        return Encoding("utf-8", "declared" if declared == "utf-8" else "content")
    if declared and (codec := _fitting(declared, sample, whole=whole)):
        return Encoding(codec, "declared")
    if sample.isascii() and not is_wide and not SEVEN_BITS.search(sample):
        return Encoding("ascii")
    return _guess(sample, whole=whole)


def wider(codec: str) -> str | None:
    """Return a codec that has more characters, and all of this one at the same places."""
    return WIDER.get(codec)


def _fitting(codec: str, sample: bytes, *, whole: bool) -> str | None:
    """Return `codec` or a wider one, whichever reads the sample; None if neither does."""
    fits = _decodes(sample, codec, whole=whole)
    if (more := WIDER.get(codec)) and (not fits or C1.search(sample.decode(codec, "replace"))):
        return more if _decodes(sample, more, whole=whole) else codec if fits else None
    return codec if fits else None


def _decodes(sample: bytes, codec: str, *, whole: bool) -> bool:
    try:
        codecs.getincrementaldecoder(codec)().decode(sample, final=whole)
    except UnicodeError:
        return False
    return True


def _marked_encoding(head: bytes) -> str | None:
    """Return the encoding that a byte order mark says."""
    return next((encoding for mark, encoding in BYTE_ORDER_MARKS if head.startswith(mark)), None)


def _declared_encoding(head: bytes) -> str | None:
    """Return the encoding that the text itself says it has, if Python knows it."""
    match = MARKUP_DECLARATION.search(head[:DECLARED_WITHIN])
    if not match:
        return None
    label = next(filter(None, match.groups())).decode("ascii", "replace").lower()
    with suppress(LookupError):
        info = codecs.lookup(NO_CODEC.get(label, label))
        return None if UNLIKELY_DECLARED.match(info.name) else info.name
    return None


def _guess(sample: bytes, *, whole: bool = False) -> Encoding:
    """Return the likeliest encoding, and how likely it is."""
    if b"\0" not in sample and not SEVEN_BITS.search(sample):
        sample = b"\n".join(filter(FOREIGN.search, sample.splitlines())) or sample
    found = _candidates(sample) or _candidates(b"\n" + sample)  # it looked like an image, say
    (codec, confidence), *others = found or [("cp1252", 0.0)]
    letters = len(FOREIGN.findall(sample))
    if confidence < 0.05:
        codec = _east_asian(sample, whole=whole) or codec
        return Encoding(codec, "guess", SHARES["unsure"][letters > 4])
    usual = USUAL.get(codec, "utf-8" if codec == "ascii" else codec)
    codec = _fitting(usual, sample, whole=whole) or codec
    if codec in {"iso8859-1", "cp1252"} and LATIN_9.search(sample) and not C1_BYTE.search(sample):
        codec = "iso8859-15"
    is_clear = letters > 29 and not (others and confidence - others[0][1] < 0.01 * confidence)
    return Encoding(codec, "guess", 0.99 if is_clear else SHARES["sure"][letters > 4])


def _east_asian(sample: bytes, *, whole: bool) -> str | None:
    """Return the codec in which all of a text is in frequent East Asian characters.

    chardet tells these only in longer texts.
    """
    for codec in ("shift_jis", "euc_jp", "gb2312", "big5", "euc_kr"):
        if _decodes(sample, codec, whole=whole):
            letters = re.sub(r"[\0-\x7f]", "", sample.decode(codec, "ignore"))
            if len(letters) > 5 and EAST_ASIAN.fullmatch(letters):
                return codec
    return None


def guess_among(sample: bytes, codecs: tuple[str, ...]) -> str | None:
    """Return the likeliest of these codecs, by chardet's names; None if none reads the sample."""
    import chardet  # rarely needed

    found = chardet.detect(sample, compat_names=False, include_encodings=codecs)["encoding"]
    return found if found in codecs and _decodes(sample, found, whole=True) else None


def _candidates(sample: bytes) -> list[tuple[str, float]]:
    """Return what chardet takes the sample for, the likeliest first, with its own confidence."""
    import chardet  # rarely needed

    is_ebcdic = sample.count(b"\x40") > max(sample.count(b" "), len(sample) // 20)
    found = chardet.detect_all(
        sample,
        compat_names=False,
        max_bytes=len(sample),
        exclude_encodings=("utf-7", *(() if is_ebcdic else EBCDIC)),
    )
    return [(each["encoding"], each["confidence"]) for each in found if each["encoding"]]
