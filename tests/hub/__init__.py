"""A stand-in for the Hub that real clients talk to, over HTTP.

`server` holds the Hub itself, `messages` and `routing` what comes in and who answers it,
`repository` and `objects` what is stored, `access` who may do what, and `isolation` what the
tests' own clients see. All other modules are answers, by subject.
"""

from .server import LocalHub

__all__ = ["LocalHub"]
