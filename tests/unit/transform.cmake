relais_unit_test(mapping relais_transform)
target_sources(unit_mapping PRIVATE mapping_case.c)
