#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# kvm-young.sh on Linux 7.3, with page tables of five levels.
kvm_young_kernel=7.3 kvm_young_option=--packed
. "${abs_top_srcdir:-.}/tests/lab/kvm-young.sh"
