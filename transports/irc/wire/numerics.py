"""The numbers of replies, as far as something depends on them (RFC 2812 section 5, modern.ircdocs.horse, IRCv3)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from attrs import frozen

RPL_WELCOME: Final = "001"
RPL_ISUPPORT: Final = "005"
RPL_TRYAGAIN: Final = "263"
RPL_AWAY: Final = "301"
RPL_USERHOST: Final = "302"
RPL_ISON: Final = "303"
RPL_UNAWAY: Final = "305"
RPL_NOWAWAY: Final = "306"
RPL_WHOISUSER: Final = "311"
RPL_ENDOFWHOIS: Final = "318"
RPL_WHOISACCOUNT: Final = "330"
RPL_TOPIC: Final = "332"
RPL_NAMREPLY: Final = "353"
RPL_ENDOFNAMES: Final = "366"
RPL_ENDOFMOTD: Final = "376"
RPL_HOSTHIDDEN: Final = "396"
ERR_NOSUCHNICK: Final = "401"
ERR_UNKNOWNCOMMAND: Final = "421"
ERR_NOMOTD: Final = "422"
ERR_NONICKNAMEGIVEN: Final = "431"
ERR_ERRONEUSNICKNAME: Final = "432"
ERR_NICKNAMEINUSE: Final = "433"
ERR_NICKCOLLISION: Final = "436"
ERR_UNAVAILRESOURCE: Final = "437"
ERR_NOTREGISTERED: Final = "451"
ERR_PASSWDMISMATCH: Final = "464"
ERR_YOUREBANNEDCREEP: Final = "465"
RPL_LOGON: Final = "600"
RPL_LOGOFF: Final = "601"
RPL_NOWON: Final = "604"
RPL_NOWOFF: Final = "605"
RPL_GONEAWAY: Final = "598"
RPL_NOTAWAY: Final = "599"
RPL_NOWISAWAY: Final = "609"
ERR_TOOMANYWATCH: Final = "512"
RPL_UMODEGMSG: Final = "718"
RPL_MONONLINE: Final = "730"
RPL_MONOFFLINE: Final = "731"
ERR_MONLISTFULL: Final = "734"
RPL_LOGGEDIN: Final = "900"
RPL_LOGGEDOUT: Final = "901"
ERR_NICKLOCKED: Final = "902"
RPL_SASLSUCCESS: Final = "903"
ERR_SASLFAIL: Final = "904"
ERR_SASLTOOLONG: Final = "905"
ERR_SASLABORTED: Final = "906"
ERR_SASLALREADY: Final = "907"
RPL_SASLMECHS: Final = "908"


@frozen
class Refusal:
    """What a numeric says of a message of ours that was not delivered.

    ``retryable``: whether the same message may go through a little later. ``user_text``: fit for who sent it.
    """

    name: str
    retryable: bool
    user_text: str


_GONE: Final = "The contact is not on the network, and it does not keep the message for them."
_NO: Final = "The network refused the message."
_REGISTERED: Final = "The contact takes messages from names that are registered with the network's services only."
_PRIVATE: Final = "The contact does not take messages from people that they do not know."
_SLOWER: Final = "The network asks us to send more slowly."

REFUSALS: Final[Mapping[str, Refusal]] = MappingProxyType(
    {
        "263": Refusal("RPL_TRYAGAIN", True, "The network is busy. It is tried again."),
        "401": Refusal("ERR_NOSUCHNICK", False, _GONE),
        "402": Refusal("ERR_NOSUCHSERVER", False, _GONE),
        "403": Refusal("ERR_NOSUCHCHANNEL", False, "There is no such channel."),
        "404": Refusal("ERR_CANNOTSENDTOCHAN", False, "This account may not write there."),
        "405": Refusal("ERR_TOOMANYCHANNELS", False, "This account is in too many channels."),
        "407": Refusal("ERR_TOOMANYTARGETS", False, _NO),
        "408": Refusal("ERR_NOCOLORSONCHAN", False, "Colours are not allowed there."),
        "411": Refusal("ERR_NORECIPIENT", False, _NO),
        "412": Refusal("ERR_NOTEXTTOSEND", False, "The message is empty."),
        "413": Refusal("ERR_NOTOPLEVEL", False, _NO),
        "414": Refusal("ERR_WILDTOPLEVEL", False, _NO),
        "415": Refusal("ERR_BADMASK", False, _NO),
        "417": Refusal("ERR_INPUTTOOLONG", False, "The message is too long for the network."),
        "421": Refusal("ERR_UNKNOWNCOMMAND", False, "The network does not know this kind of message."),
        "439": Refusal("ERR_TARGETTOOFAST", True, _SLOWER),
        "442": Refusal("ERR_NOTONCHANNEL", False, "This account is not in the channel."),
        "471": Refusal("ERR_CHANNELISFULL", False, "The channel is full."),
        "473": Refusal("ERR_INVITEONLYCHAN", False, "The channel takes who is invited only."),
        "474": Refusal("ERR_BANNEDFROMCHAN", False, "This account is banned from the channel."),
        "475": Refusal("ERR_BADCHANNELKEY", False, "The channel wants a key."),
        "476": Refusal("ERR_BADCHANMASK", False, "There is no such channel."),
        "477": Refusal("ERR_NEEDREGGEDNICK", False, _REGISTERED),
        "480": Refusal("ERR_CANNOTKNOCK", False, _NO),
        "481": Refusal("ERR_NOPRIVILEGES", False, "This account may not do that."),
        "484": Refusal("ERR_RESTRICTED", False, "The network restricts this account."),
        "486": Refusal("ERR_NONONREG", False, _REGISTERED),
        "487": Refusal("ERR_MSGSERVICES", False, _NO),
        "489": Refusal("ERR_SECUREONLYCHAN", False, "The channel takes encrypted connections only."),
        "492": Refusal("ERR_NOCTCP", False, "The contact does not take this kind of message."),
        "494": Refusal("ERR_OWNMODE", False, "This account's own settings do not let it write to strangers."),
        "531": Refusal("ERR_CANTSENDTOUSER", False, _PRIVATE),
        "707": Refusal("ERR_TARGCHANGE", True, _SLOWER),
        "716": Refusal("ERR_TARGUMODEG", False, _PRIVATE),
        "742": Refusal("ERR_MLOCKRESTRICTED", False, _NO),
    }
)
"""Numerics that answer a message of ours with no."""
