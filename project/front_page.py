"""`/`: what this is, a page that is read and counted live, and where everything else is."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from catalog.pages.models import Page
from catalog.pages.queries import load_page


@require_safe
def front_page(request: HttpRequest) -> HttpResponse:
    """Answer a browser with a page, and an API client with a redirect to the API.

    It counts nothing: the script on the page does, which reads the demonstration page.
    """
    if request.get_preferred_type(["application/json", "text/html"]) == "text/html":
        # The first page that has contents: that of the demonstration data.
        first = Page.objects.filter(placements__isnull=False).order_by("pk").first()
        page, contents = load_page(first.pk) if first else (None, [])
        typed = [(content._meta.verbose_name, content) for content in contents]
        response = render(request, "front.html", {"page": page, "contents": typed})
    else:
        response = redirect("api-root")
    patch_vary_headers(response, ["Accept"])
    return response
