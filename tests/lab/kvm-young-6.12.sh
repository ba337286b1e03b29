#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# kvm-young.sh on Linux 6.12.
kvm_young_kernel=6.12
. "${abs_top_srcdir:-.}/tests/lab/kvm-young.sh"
