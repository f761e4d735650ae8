import redis
from django.conf import settings

VIEWS, TAKEN = "views", "views:taken"
client = redis.Redis.from_url(settings.REDIS_URL)
