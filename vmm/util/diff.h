/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_UTIL_DIFF_H
#define VMM_UTIL_DIFF_H

/*
 * The unified difference of two texts, line by line, with three lines of
 * context: what diff -u prints below its two first lines.  "" where they are
 * alike.  malloc'ed; NULL: no memory.  The differing parts may have up to some
 * thousand lines; of more, all are told as changed.
 */
char *diff_unified(const char *before, const char *after);

#endif
