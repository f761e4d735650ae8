from catalog.pages.serializers import ContentSerializer
from tests.catalog.pages.quotes.models import Quote


class QuoteSerializer(ContentSerializer):
    class Meta(ContentSerializer.Meta):
        model = Quote
        fields = (*ContentSerializer.Meta.fields, "author")
