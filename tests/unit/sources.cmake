# Pulling from servers; what needs a server is in tests/e2e/test_pull*.py.
relais_unit_test(sources_parts relais_sources)
