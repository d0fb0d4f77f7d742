relais_fuzz_target(parcel relais_spool)
relais_fuzz_target(reason relais_spool)
relais_fuzz_target(note relais_spool)
