"""What binds a target, in the words its reason carries: those that several planners use or decide by."""

from __future__ import annotations

RULED = "override"
"""An override rules the pool."""
ENDED = "override ended"
"""An override ended: the pool goes back to its count of before."""
LOST = "lost region"
"""The plan supposes that the pool's region is gone."""
DATA = "data"
"""The pool is kept, for lack of data."""
MINIMUM = "minimum"
"""The pool's own least count."""
MAXIMUM = "maximum"
"""The pool's own most."""
QUOTA = "quota"
"""The quota of the VM type in the region, or a refusal that lowers it."""
