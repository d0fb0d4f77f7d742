# The seeds of `receive` are the bodies of real clients, which its unit test reads too: what a
# fuzzer finds goes into the unit tests.
relais_fuzz_target(multipart relais_openrosa)
relais_fuzz_target(receive relais_openrosa)
relais_fuzz_target(instance relais_openrosa)
relais_fuzz_target(header relais_openrosa)
