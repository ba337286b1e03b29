noinst_LIBRARIES += rmap/librmap.a
rmap_librmap_a_SOURCES = rmap/rmap.c rmap/rmap.h
