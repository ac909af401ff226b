"""JSON Web Tokens taken apart and put together: base64url, header, claims, signature."""
import base64
import json


def b64u(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()


def parts(token):
    head, claims, signature = token.split(".")
    read = lambda s: json.loads(base64.urlsafe_b64decode(s + "=" * (-len(s) % 4)))
    return read(head), read(claims), signature
