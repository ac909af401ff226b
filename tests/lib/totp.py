"""RFC 6238 codes, worked out here once more: what an authenticator on a telephone does."""
import base64
import hashlib
import hmac
import struct
import time


def code(secret, steps=0):
    """The six digits of a Base32 secret now, or some steps of 30 s away from now."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.new(key, struct.pack(">Q", int(time.time()) // 30 + steps), hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 1000000:06d}"


def other(digits):
    """Six digits that are not these."""
    return f"{(int(digits) + 1) % 1000000:06d}"
