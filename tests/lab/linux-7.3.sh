#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# linux-6.12.sh on Linux 7.3.
lab_linux=7.3
. "${abs_top_srcdir:-.}/tests/lab/linux-6.12.sh"
