# The forwarder against a real PostgreSQL that each program starts for itself.
add_library(store_fixture STATIC store_fixture.c)
target_link_libraries(store_fixture PUBLIC relais_store PkgConfig::CMOCKA)
target_compile_definitions(store_fixture PRIVATE RELAIS_SOURCE_DIR="${PROJECT_SOURCE_DIR}")

relais_unit_test(store_chain relais_store)
foreach(name store_catalogue store_forward store_parents store_edit store_shared store_refusal store_outage store_ledger)
  relais_unit_test(${name} store_fixture)
  set_tests_properties(unit/${name} PROPERTIES TIMEOUT 600)
endforeach()
