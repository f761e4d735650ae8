"""Middleware: what runs between the web server and the views.

In settings.MIDDLEWARE: `allowed_hosts`, `concurrent_stream_limit`, `csp`, `concurrent_body_limit`,
`audit_log`, `read_replica`. In wsgi.py: `request_id`, `header_limit`. A middleware that adds
response headers must also be in HEADER_MIDDLEWARE of catalog/pages/fast_path.py.
"""
