# Lab tests: each boots a level-1 machine of its own (README.md), so they
# run one after the other and only where QEMU's emulator is installed.
LAB_TESTS =
EXTRA_DIST += tests/lab/README.md tests/lab/lab tests/lab/l1init \
	tests/lab/mkinitrd tests/lab/mkguest tests/lab/functions.sh \
	tests/lab/kernel/build-kernel tests/lab/kernel/fragment
