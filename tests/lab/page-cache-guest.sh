# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# In a guest of `vmm experiment double-paging`: the workload, as its command line
# says.
read -r words </proc/cmdline
# shellcheck disable=SC2086 # words
exec page-cache /dev/vda $words
