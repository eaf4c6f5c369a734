"""What the SIP transport needs of a reactor, as one type."""

from twisted.internet.interfaces import (
    IReactorCore,
    IReactorFDSet,
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorTime,
)


class SipReactor(IReactorCore, IReactorFDSet, IReactorTCP, IReactorTime, IReactorPluggableNameResolver):
    """Any of Twisted's reactors on POSIX."""
