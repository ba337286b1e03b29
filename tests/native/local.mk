# tests/native
