"""TSIG (RFC 8945) with the time in our hands: dnspython always takes the present."""
import struct

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TSIG
import dns.tsig

ALGORITHM = "hmac-sha256"


def signed(message, key, at, fudge=300, request_mac=b"", error=0, other=b""):
    """Wire bytes of a dns.message signed at the second `at`. key is a dns.tsig.Key; None makes an unsigned TSIG."""
    wire = message.to_wire() if not isinstance(message, bytes) else message
    name = dns.name.from_text(ALGORITHM)
    rd = dns.rdtypes.ANY.TSIG.TSIG(dns.rdataclass.ANY, dns.rdatatype.TSIG, name, at, fudge, b"", wire[0] << 8 | wire[1], error, other)
    owner = dns.name.from_text("homeport-key") if key is None else key.name
    if key is not None:
        rd, _ = dns.tsig.sign(wire, key, rd, at, request_mac)
    data = rd.to_wire()
    record = owner.to_wire() + struct.pack("!HHIH", 250, 255, 0, len(data)) + data
    count = struct.unpack("!H", wire[10:12])[0] + 1
    return wire[:10] + struct.pack("!H", count) + wire[12:] + record
