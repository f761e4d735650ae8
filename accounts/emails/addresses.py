"""The rule for e-mail addresses, and the normal form in which they are stored and compared.

The local part must be ASCII: an address outside it needs SMTPUTF8 on every mail server on the way,
ours included, and many do not have it. Domains are stored in the ASCII form of IDNA 2008.
"""

import idna
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

INVALID_LOCAL_PART = _("The part before the @ may only contain ASCII characters.")
INVALID_DOMAIN = _("The domain of this email address is not valid.")


def normalize(address: str) -> str:
    """Return the address with its domain in ASCII and lower case. Raises ValidationError.

    Text without an @ is returned unchanged: Django's validator refuses it.
    """
    local, at, domain = address.strip().rpartition("@")
    if not at:
        return address
    if not local.isascii():
        raise ValidationError(INVALID_LOCAL_PART, code="invalid")
    try:
        return f"{local}@{ascii_domain(domain)}"
    except UnicodeError as error:  # the base class of idna's errors
        raise ValidationError(INVALID_DOMAIN, code="invalid") from error


def ascii_domain(domain: str) -> str:
    if not domain.isascii():
        return idna.encode(domain, uts46=True).decode().lower()
    labels = domain.lower().split(".")
    for label in labels:
        if label.startswith("xn--"):
            idna.ulabel(label)
    return ".".join(labels)


def validate_address(address: str) -> None:
    """Raise ValidationError if the address has no normal form."""
    normalize(address)


def mailbox(address: str) -> str:
    """Return the same text for all addresses that usually reach the same mailbox, for rate limits.

    Case and the part after a `+` make no difference.
    """
    try:
        local, _, domain = normalize(address).casefold().rpartition("@")
    except ValidationError:
        return address.casefold()
    return f"{local.partition('+')[0]}@{domain}"
