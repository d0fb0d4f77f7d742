relais_unit_test(forms relais_openrosa LibXml2::LibXml2)
relais_unit_test(multipart relais_openrosa)
relais_unit_test(receive relais_openrosa LibXml2::LibXml2)
relais_unit_test(reply relais_openrosa LibXml2::LibXml2)
