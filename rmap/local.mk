# librmap: static, for others too (pkg-config rmap, man 3 rmap)
lib_LIBRARIES += rmap/librmap.a
# From the bottom up: docs/internals-rmap.md, "Files"
rmap_librmap_a_SOURCES = rmap/rmap.h rmap/internal.h \
	rmap/memory.c rmap/memory.h \
	rmap/hash.c rmap/hash.h rmap/ids.c rmap/ids.h \
	rmap/itree.c rmap/itree.h rmap/snapshot.c rmap/snapshot.h \
	rmap/object.c rmap/object.h rmap/recorded.c rmap/recorded.h \
	rmap/page-flags.c rmap/page-flags.h \
	rmap/file.c rmap/file.h rmap/anon-vma.c rmap/anon-vma.h \
	rmap/anon-mm.c rmap/anon-mm.h rmap/pte-chain.c rmap/pte-chain.h \
	rmap/kinds.c rmap/kinds.h rmap/reassign.c rmap/reassign.h \
	rmap/mapping.c rmap/mapping.h rmap/page.c \
	rmap/vma.c rmap/vma.h rmap/vma-change.c rmap/walk.c \
	rmap/mm.c rmap/mm.h rmap/fork.c rmap/rmap.c \
	rmap/workingset.c rmap/workingset.h

rmapincludedir = $(includedir)/rmap
rmapinclude_HEADERS = rmap/rmap.h rmap/workingset.h

pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = rmap/rmap.pc
CLEANFILES += rmap/rmap.pc
EXTRA_DIST += rmap/rmap.pc.in

# Built here from the installed names, by users from the installed library.
check_PROGRAMS += rmap/example
rmap_example_SOURCES = rmap/example.c
rmap_example_LDADD = rmap/librmap.a

rmap/rmap.pc: $(srcdir)/rmap/rmap.pc.in Makefile
	$(AM_V_GEN)$(MKDIR_P) rmap && $(SED) \
		-e 's|@prefix[@]|$(prefix)|' \
		-e 's|@exec_prefix[@]|$(exec_prefix)|' \
		-e 's|@libdir[@]|$(libdir)|' \
		-e 's|@includedir[@]|$(includedir)|' \
		-e 's|@VERSION[@]|$(VERSION)|' \
		$(srcdir)/rmap/rmap.pc.in >$@

dist_man_MANS += docs/man/rmap.3
EXTRA_DIST += docs/internals-rmap.md
