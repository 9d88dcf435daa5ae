"""The release tool: installs releases beside each other on the host, switches between them, and goes back.

Comes in: an artefact, a verb. Goes out: a release that serves, one line a step, an exit code, and a record from which
an interrupted step is finished or undone. Never: a package beside the standard library (it stands outside the
releases and drives their change, so that a broken one never drives its own way back), a flow killed, a deployment
paused, a release directory edited.
"""
