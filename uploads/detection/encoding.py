"""Tells text from binary data, and detects its encoding."""

import codecs

# Characters that text does not have. ESC (colours in logs), form feed and backspace are allowed.
BINARY = bytes({*range(32), 127} - set(b"\b\t\n\f\r\x1b"))
# UTF-32 first: its marks begin with those of UTF-16.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Tried first. Among all encodings a short text in cp1251 looks like Chinese.
FREQUENT = ["cp1251", "cp1252", "koi8_r", "cp866", "iso8859_2"]
SAMPLE_BYTES = 64 * 1024


def decode_head(head: bytes) -> str | None:
    """Return the first bytes of a file as text; None if they are not text.

    Without a byte order mark and not in UTF-8, only the ASCII in it is correct: detecting the
    encoding takes longer (`detect_encoding`).
    """
    encoding = _marked_encoding(head) or "utf-8"
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        if encoding != "utf-8":
            return None
        text = head.decode("latin-1")
    return None if any(chr(code) in text for code in BINARY) else text


def detect_encoding(head: bytes) -> str:
    """Return the encoding of a text that begins with `head`; latin-1 if it is unknown."""
    if encoding := _marked_encoding(head):
        return encoding
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return _guess_encoding(head[:SAMPLE_BYTES])
    return "ascii" if head.isascii() else "utf-8"


def _marked_encoding(head: bytes) -> str | None:
    """Return the encoding that a byte order mark says."""
    return next((encoding for mark, encoding in BYTE_ORDER_MARKS if head.startswith(mark)), None)


def _guess_encoding(sample: bytes) -> str:
    from charset_normalizer import from_bytes  # slow to import, and rarely needed

    best = from_bytes(sample, cp_isolation=FREQUENT).best() or from_bytes(sample).best()
    return best.encoding if best else "latin-1"
