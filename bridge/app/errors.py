"""What can be wrong with a bridge's home, for whoever shows it in one line. Light: errors load nothing but errors."""

from typing import Final

from bridge.app.config import ConfigError
from bridge.compliance.errors import ComplianceError
from bridge.identity.errors import IdentityError
from bridge.policy.errors import PolicyError
from bridge.store.errors import StoreError

ERRORS: Final = (ConfigError, ComplianceError, IdentityError, PolicyError, StoreError)
"""What can be wrong with a home: each has a text of one line or more that names what and where."""
