/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_UTIL_DIFF_H
#define VMM_UTIL_DIFF_H

/*
 * The unified difference of two texts, line by line, with three lines of
 * context: what diff -u prints below its first two lines.  "" if they are
 * equal. malloc'ed; NULL: no memory.  Differing parts of more than some
 * thousand lines are shown as changed entirely.
 */
char *diff_unified(const char *before, const char *after);

#endif
