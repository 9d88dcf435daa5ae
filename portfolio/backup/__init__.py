"""Backups: whole copies of a store with its models, verified before they count, and the way back from one.

Comes in: an open store, the models' folder, a backup's folder. Goes out: a folder with the copy, the models and a
manifest; findings about one; a store put back in place. It never opens the live file beside the store's own
connection, never deletes a folder that it cannot tell for a whole backup of the same store, and never overwrites a
store without keeping it.
"""
