"""The figures of the packaged sample; ORIGIN.md beside them says where they come from and whose they are."""
