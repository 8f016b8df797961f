/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns how a cell of CSV is quoted. Must not know any table.
 */
#include "tool/t307.h"

#include <string.h>

/* RFC 4180. */
void t307_csv_cell(FILE *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"') {
            fputc('"', out);
        }
        fputc(*text, out);
    }
    fputc('"', out);
}
