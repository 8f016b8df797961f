/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* `redirect307 import httpd`; input and what holds: see fuzz_import.h. */
#include "fuzz_import.h"

const char fuzz_name[] = "import_httpd";

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    return fuzz_import(&t307_import_httpd, data, size);
}
