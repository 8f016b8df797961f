/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* `redirect307 import rewritemap`; input and what holds: see fuzz_import.h. */
#include "fuzz_import.h"

const char fuzz_name[] = "import_rewritemap";

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    return fuzz_import(&t307_import_rewritemap, data, size);
}
