"""The captcha's stand-in is as strict as the vendor: checked by the vectors that the vendor's own SDK made."""
import json

import pytest

from lib.fake_captcha import FakeCaptcha, FakeTencent
from lib.rawhttp import exchange
from lib.vectors import params, raw_request


@pytest.mark.parametrize("v", params("tencent-tc3", "tc3.sign", "tc3.capture"))
def test_it_accepts_what_the_sdk_signs(v):
    """The fake takes every request that the vendor's SDK signed, and refuses it with one digit, byte or day changed."""
    i = v["input"]
    with FakeTencent(keys={i["secret_id"]: i["secret_key"]}) as f:
        f.now, f.service, f.version = lambda: i["timestamp"], i["service"], i["version"]

        def code(raw):
            return json.loads(exchange(f.port, raw)[2])["Response"]["Error"]["Code"]

        raw = raw_request(v["expect"]["http"])
        assert code(raw) == "InvalidAction" and len(f.verified) == 1  # verified; it knows no actions
        assert code(raw.replace(b"Signature=", b"Signature=0")) == "AuthFailure.InvalidAuthorization"
        last = raw[-1:]
        assert code(raw[:-1] + (b"]" if last != b"]" else b"}")) == "AuthFailure.SignatureFailure"
        assert code(raw.replace(b"tc3_request", b"tc3_requesu")) == "AuthFailure.InvalidAuthorization"
        f.now = lambda: i["timestamp"] + 301
        assert code(raw) == "AuthFailure.SignatureExpire"
        assert len(f.verified) == 1


PASSED = [p for p in params("tencent-tc3", "tc3.capture")
          if p.values[0] is None or "CaptchaCode" in p.values[0]["input"]["reply"]["Response"]]


@pytest.mark.parametrize("v", PASSED)
def test_it_answers_in_the_vendors_shape(v):
    """A passed ticket's answer has the fields of the recorded one."""
    i = v["input"]
    with FakeCaptcha(keys={i["secret_id"]: i["secret_key"]}) as f:
        f.now = lambda: i["timestamp"]
        got = json.loads(exchange(f.port, raw_request(v["expect"]["http"]))[2])["Response"]
        want = i["reply"]["Response"]
        assert {k: type(want[k]) for k in want if k in got} == {k: type(got[k]) for k in got if k in want}
        assert {"CaptchaCode", "CaptchaMsg", "EvilLevel", "RequestId"} <= set(got) & set(want)
