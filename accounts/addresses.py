"""The rule for e-mail addresses, and the one form in which they are kept and compared.

The local part is ASCII: an address outside it reaches only people whose every mail server, and
ours, speaks SMTPUTF8, and many do not. Domains are kept as IDNA 2008 puts them on the wire.
"""

import idna
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

LOCAL_PART = _("Before the @, an email address has ASCII characters only.")
DOMAIN = _("The domain of this email address is not valid.")


def normal(address: str) -> str:
    """Return the address with its domain in ASCII and lower case. Raises ValidationError.

    What lacks an @ is returned as it is: Django's validator refuses it.
    """
    local, at, domain = address.strip().rpartition("@")
    if not at:
        return address
    if not local.isascii():
        raise ValidationError(LOCAL_PART, code="invalid")
    try:
        return f"{local}@{ascii_domain(domain)}"
    except UnicodeError as error:  # idna's errors are such
        raise ValidationError(DOMAIN, code="invalid") from error


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
    normal(address)


def mailbox(address: str) -> str:
    """Return the same for all addresses that are likely to reach one mailbox, for counting.

    Their case, and what stands after a `+`, makes no difference.
    """
    try:
        local, _, domain = normal(address).casefold().rpartition("@")
    except ValidationError:
        return address.casefold()
    return f"{local.partition('+')[0]}@{domain}"
