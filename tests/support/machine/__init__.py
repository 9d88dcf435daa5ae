"""A Debian 12 machine booted on this one, for the tests of the installation: systemd-nspawn in a network of its own.

Comes in: a name, a subnet, root's rights. Goes out: a host that answers SSH as root and knows nothing of us. `down`
leaves no process, mount, interface or rule behind, whatever happened before. Only the standard library, so that any
Python runs it.
"""
