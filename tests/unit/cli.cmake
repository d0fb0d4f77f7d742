# The command's parts that need neither a database nor a spool; tests/e2e/test_command.py has the rest.
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
find_package(ZLIB REQUIRED)

relais_unit_test(cli_config relais_cli)
relais_unit_test(cli_names relais_cli)
relais_unit_test(cli_sheet relais_cli PkgConfig::JANSSON ZLIB::ZLIB ${NETTLE_STATIC})
relais_unit_test(plan_files relais_store)
relais_unit_test(plan_script relais_store)
