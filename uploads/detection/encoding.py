"""Tells text from other bytes, and in which encoding it is."""

import codecs

# Also ESC (in logs with colours), form feed and backspace, which old texts have.
CONTROLS = bytes({*range(32), 127} - set(b"\b\t\n\f\r\x1b"))
# UTF-32's marks begin with those of UTF-16.
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Most bytes are text in each of these; the detector tells which of them is likely.
OFTEN = ["cp1251", "cp1252", "koi8_r", "cp866", "iso8859_2"]
SAMPLE_BYTES = 64 * 1024


def text_of(head: bytes) -> str | None:
    """Return the beginning of a text, or None if `head` begins something else.

    The last character may be cut. Of an encoding that is neither marked nor UTF-8, only the ASCII
    in it is right: which one it is takes longer to find out (`encoding_of`).
    """
    encoding = marked(head) or "utf-8"
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        if encoding != "utf-8":
            return None
        text = head.decode("latin-1")
    return None if any(chr(control) in text for control in CONTROLS) else text


def marked(head: bytes) -> str | None:
    """Return the encoding that a byte order mark at the start of `head` names."""
    return next((encoding for mark, encoding in MARKS if head.startswith(mark)), None)


def encoding_of(head: bytes) -> str:
    """Return the encoding of a text that begins with `head` (any one, if none can be told)."""
    if encoding := marked(head):
        return encoding
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return _guessed(head[:SAMPLE_BYTES])
    return "ascii" if head.isascii() else "utf-8"


def _guessed(sample: bytes) -> str:
    """Return the likeliest encoding of a text that is not in UTF-8.

    Among all encodings a short text in cp1251 looks like Chinese: the frequent ones come first.
    """
    from charset_normalizer import from_bytes  # slow to import, and rarely needed

    best = from_bytes(sample, cp_isolation=OFTEN).best() or from_bytes(sample).best()
    return best.encoding if best else "latin-1"
