"""The web services that keep the lists from MSNP13 on: who is allowed, blocked, has us; and the address book."""

from __future__ import annotations

from attrs import frozen

from transports.msnp.wire import soap, xml
from transports.msnp.wire.codes import Lists
from transports.msnp.wire.lists import Entry
from transports.msnp.wire.soap import ADDRESS_BOOK

APPLICATION = "CFE80F9D-180F-4399-82AB-413F33A1FA11"
DEFAULT_BOOK = "00000000-0000-0000-0000-000000000000"
MAX_ENTRIES = 10_000
ROLES = {"Allow": Lists.AL, "Block": Lists.BL, "Reverse": Lists.RL, "Pending": Lists.PL}


@frozen(kw_only=True)
class Call:
    """One request to a service: which (``sharing`` or ``abservice``), its SOAPAction, and the body."""

    service: str
    action: str
    body: bytes


def _call(service: str, name: str, ticket: str, scenario: str, inner: str) -> Call:
    header = (
        f'<ABApplicationHeader xmlns="{ADDRESS_BOOK}"><ApplicationId>{APPLICATION}</ApplicationId>'
        f"<IsMigration>false</IsMigration><PartnerScenario>{scenario}</PartnerScenario></ABApplicationHeader>"
        f'<ABAuthHeader xmlns="{ADDRESS_BOOK}"><ManagedGroupRequest>false</ManagedGroupRequest>'
        f"<TicketToken>{xml.escape(ticket)}</TicketToken></ABAuthHeader>"
    )
    body = f'<{name} xmlns="{ADDRESS_BOOK}">{inner}</{name}>'
    return Call(service=service, action=f"{ADDRESS_BOOK}/{name}", body=soap.envelope(header, body))


def find_membership(ticket: str) -> Call:
    """Asks who is allowed, blocked, has us, or waits for an answer."""
    inner = (
        "<serviceFilter><Types><ServiceType>Messenger</ServiceType></Types></serviceFilter>"
        "<View>Full</View><deltasOnly>false</deltasOnly><lastChange>0001-01-01T00:00:00.0000000-08:00</lastChange>"
    )
    return _call("sharing", "FindMembership", ticket, "Initial", inner)


def find_all(ticket: str) -> Call:
    """Asks for the address book: the contacts themselves."""
    inner = (
        f"<abId>{DEFAULT_BOOK}</abId><abView>Full</abView><deltasOnly>false</deltasOnly>"
        "<lastChange>0001-01-01T00:00:00.0000000-08:00</lastChange>"
    )
    return _call("abservice", "ABFindAll", ticket, "Initial", inner)


def read_membership(body: bytes) -> dict[str, Lists]:
    """Lists by passport. Raises `SoapFault` and `MsnpSyntaxError`."""
    root = soap.read(body, "FindMembership")
    found: dict[str, Lists] = {}
    for membership in xml.find_all(root, "Membership"):
        role = ROLES.get(xml.text_of(membership, "MemberRole"))
        if role is None:
            continue
        for member in xml.find_all(membership, "Member"):
            passport = xml.text_of(member, "PassportName")
            if not passport or xml.text_of(member, "Deleted") == "true":
                continue
            if passport in found or len(found) < MAX_ENTRIES:
                found[passport] = found.get(passport, Lists.NONE) | role
    return found


@frozen(kw_only=True)
class Book:
    """The address book: contacts of the messenger, and our own name in it."""

    contacts: tuple[Entry, ...]
    own_name: str = ""


def read_book(body: bytes) -> Book:
    """Reads the address book. Raises `SoapFault` and `MsnpSyntaxError`."""
    root = soap.read(body, "ABFindAll")
    contacts: list[Entry] = []
    own_name = ""
    for contact in xml.find_all(root, "Contact"):
        passport = xml.text_of(contact, "passportName")
        name = xml.text_of(contact, "displayName")
        if xml.text_of(contact, "contactType") == "Me":
            own_name = name
            continue
        # a contact of the mail alone is none of the messenger's
        if not passport or xml.text_of(contact, "isMessengerUser") != "true":
            continue
        if len(contacts) < MAX_ENTRIES:
            groups = tuple(each.text for each in xml.find_all(contact, "guid") if each.text)
            entry = Entry(
                passport=passport, name=name, id=xml.text_of(contact, "contactId"), lists=Lists.FL, groups=groups
            )
            contacts.append(entry)
    return Book(contacts=tuple(contacts), own_name=own_name)


def add_contact(ticket: str, passport: str) -> Call:
    """Puts a contact into the address book."""
    inner = (
        f"<abId>{DEFAULT_BOOK}</abId><contacts><Contact><contactInfo><contactType>LivePending</contactType>"
        f"<passportName>{xml.escape(passport)}</passportName><isMessengerUser>true</isMessengerUser>"
        "</contactInfo></Contact></contacts><options><EnableAllowListManagement>false</EnableAllowListManagement></options>"
    )
    return _call("abservice", "ABContactAdd", ticket, "ContactSave", inner)


def read_added(body: bytes) -> str:
    """The id of the contact that was added; empty where none is told. Raises `SoapFault` and `MsnpSyntaxError`."""
    return xml.text_of(soap.read(body, "ABContactAdd"), "guid")


def delete_contact(ticket: str, contact_id: str) -> Call:
    """Takes a contact out of the address book."""
    contact = f"<Contact><contactId>{xml.escape(contact_id)}</contactId></Contact>"
    inner = f"<abId>{DEFAULT_BOOK}</abId><contacts>{contact}</contacts>"
    return _call("abservice", "ABContactDelete", ticket, "Timer", inner)


def member(ticket: str, role: Lists, passport: str, *, wanted: bool) -> Call:
    """Puts somebody on the allow or block list, or takes them off it (or off the reverse or pending list)."""
    name = "AddMember" if wanted else "DeleteMember"
    word = next(word for word, which in ROLES.items() if which is role)
    inner = (
        "<serviceHandle><Id>0</Id><Type>Messenger</Type><ForeignId></ForeignId></serviceHandle>"
        f"<memberships><Membership><MemberRole>{word}</MemberRole><Members>"
        '<Member xsi:type="PassportMember"><Type>Passport</Type><State>Accepted</State>'
        f"<PassportName>{xml.escape(passport)}</PassportName></Member></Members></Membership></memberships>"
    )
    scenario = "BlockUnblock" if role in {Lists.AL, Lists.BL} else "ContactMsgrAPI"
    return _call("sharing", name, ticket, scenario, inner)


def read_done(body: bytes, what: str) -> None:
    """Reads the answer to an edit. Raises `SoapFault` and `MsnpSyntaxError`."""
    soap.read(body, what)
