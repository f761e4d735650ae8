from tests.catalog.pages.conftest import own_log as own_log
