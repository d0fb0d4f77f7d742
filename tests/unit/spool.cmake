relais_unit_test(parcel relais_spool)
relais_unit_test(spool_write relais_spool)
relais_unit_test(spool_read relais_spool)
relais_unit_test(quarantine relais_spool)
relais_unit_test(spool_scratch relais_spool)
relais_unit_test(spool_note relais_spool)

# Stands between the library and the system to see the order of calls and to make them fail.
relais_unit_test(spool_order relais_spool)
target_link_options(unit_spool_order PRIVATE
  -Wl,--wrap=fsync,--wrap=renameat,--wrap=unlinkat,--wrap=writev,--wrap=copy_file_range)

# The same, to end the process before each of them.
relais_unit_test(quarantine_sealed relais_spool)
target_link_options(unit_quarantine_sealed PRIVATE
  -Wl,--wrap=fsync,--wrap=renameat,--wrap=linkat,--wrap=unlinkat,--wrap=futimens,--wrap=openat)
relais_unit_test(spool_guard relais_spool)
