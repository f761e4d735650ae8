"""The admin of pages and of all types of content."""

from catalog.pages.admin.contents import ContentTypeAdmin
from catalog.pages.admin.pages import PageAdmin

__all__ = ["ContentTypeAdmin", "PageAdmin"]
