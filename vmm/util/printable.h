/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_UTIL_PRINTABLE_H
#define VMM_UTIL_PRINTABLE_H

#include <stdio.h>

/*
 * For text of a guest or another process that may go to a terminal: replaces
 * control characters (U+0001 to U+001F and U+007F to U+009F, in UTF-8) by '?'.
 */
void printable_make(char *text);

/*
 * For JSON, whose texts must be UTF-8: replaces each byte that is not part of a
 * valid character by '?', as in names of files, or where a text was cut.
 */
void printable_make_utf8(char *text);

/*
 * Writes the value of an OpenMetrics label: quote, backslash, newline escaped,
 * and invalid UTF-8 replaced as by printable_make_utf8().
 */
void printable_put_label(FILE *out, const char *text);

#endif
