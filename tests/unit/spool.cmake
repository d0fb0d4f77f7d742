relais_unit_test(parcel relais_spool)
relais_unit_test(spool_write relais_spool)


