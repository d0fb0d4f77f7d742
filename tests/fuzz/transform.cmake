relais_fuzz_target(mapping relais_transform)
target_compile_definitions(fuzz_mapping PRIVATE RELAIS_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
