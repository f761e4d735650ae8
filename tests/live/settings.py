"""The settings of the running service: those of `make run`, with passwords that cost nothing.

One hash of the real kind takes half a second of processor time, and these tests make dozens.
"""

from project.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
