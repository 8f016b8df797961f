/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* `redirect307 import haproxy-map`; input and what holds: see fuzz_import.h. */
#include "fuzz_import.h"

const char fuzz_name[] = "import_haproxy";

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    return fuzz_import(&t307_import_haproxy, data, size);
}
