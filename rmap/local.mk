noinst_LIBRARIES += rmap/librmap.a
rmap_librmap_a_SOURCES = rmap/rmap.h rmap/internal.h \
	rmap/rmap.c rmap/page.c rmap/mapping.c rmap/fork.c rmap/walk.c \
	rmap/vma.c rmap/vma-change.c rmap/anon_vma.c rmap/anon_mm.c \
	rmap/pte_chain.c rmap/file.c \
	rmap/snapshot.c rmap/snapshot.h rmap/itree.c rmap/itree.h \
	rmap/hash.c rmap/hash.h
