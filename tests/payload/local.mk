# tests/payload
