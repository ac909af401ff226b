"""Alibaba SMS (Dysmsapi 2017-05-25) and DirectMail (Dm 2015-11-23) as the protocols page tells them, behind the
gateway of fake_alidns.py, whose ACS3 verifier looks at every request."""
import json
import re
import uuid
from urllib.parse import parse_qsl

from lib.fake_alidns import KEY_ID, KEY_SECRET, FakeAlidns, Refused
from lib.httpd import as_json

VERSIONS = {"SendSms": "2017-05-25", "SingleSendMail": "2015-11-23"}
TEMPLATES = {"SMS_123456789", "SMS_EN_000001"}
SIGN_NAME, ACCOUNT = "示例签名", "noreply@mail.example.test"


class FakeAlibabaLetters(FakeAlidns):
    def __init__(self, **kw):
        super().__init__(**kw)
        self.messages, self.mails = [], []  # parameters of what was taken
        self.code = None                    # what SendSms answers instead of OK

    def handle(self, r):
        rid = str(uuid.uuid4()).upper()
        try:
            action = self.verify(r)
            if VERSIONS.get(action) != r.low.get("x-acs-version"):
                raise Refused("InvalidAction.NotFound", 404)
            form = {}
            if action == "SingleSendMail":
                if r.query or r.low.get("content-type") != "application/x-www-form-urlencoded":
                    raise Refused("MissingParameter", message="parameters belong into the body")
                form = dict(parse_qsl(r.body.decode(), keep_blank_values=True, strict_parsing=True))
            elif r.body:
                raise Refused("MissingParameter", message="parameters belong into the query")
            return as_json({"RequestId": rid, **getattr(self, "op_" + action)(form or r.params)})
        except Refused as e:
            return as_json({"RequestId": rid, "HostId": r.low.get("host", ""), "Code": e.code, "Message": e.message}, e.status)

    def op_SendSms(self, p):
        """Refusals come with HTTP 200; the verdict is in Code."""
        if set(p) - {"PhoneNumbers", "SignName", "TemplateCode", "TemplateParam", "OutId"}:
            return {"Code": "isv.INVALID_PARAMETERS", "Message": str(sorted(p))}
        if self.code:
            return {"Code": self.code, "Message": "触发分钟级流控Permits:1"}
        if p["SignName"] != SIGN_NAME:
            return {"Code": "isv.SMS_SIGNATURE_ILLEGAL", "Message": "该账号下找不到对应签名"}
        if p["TemplateCode"] not in TEMPLATES:
            return {"Code": "isv.SMS_TEMPLATE_ILLEGAL", "Message": "该账号下找不到对应模板"}
        if not re.fullmatch(r"1\d{10}|[2-9]\d{6,14}|1[2-9]\d{9}", p["PhoneNumbers"]):
            return {"Code": "isv.MOBILE_NUMBER_ILLEGAL", "Message": p["PhoneNumbers"]}
        values = json.loads(p["TemplateParam"])
        if set(values) != {"code"} or not isinstance(values["code"], str):
            return {"Code": "isv.TEMPLATE_MISSING_PARAMETERS", "Message": p["TemplateParam"]}
        self.messages.append(p | {"code": values["code"]})
        return {"Code": "OK", "Message": "OK", "BizId": "900619746936498440^0"}

    def op_SingleSendMail(self, p):
        if self.code:
            raise Refused(self.code)
        if p.get("AccountName") != ACCOUNT:
            raise Refused("InvalidMailAddress.NotFound", 404, "The specified mailAddress is not found.")
        if p.get("AddressType") != "1" or p.get("ReplyToAddress") not in ("true", "false"):
            raise Refused("InvalidParameter")
        if not re.fullmatch(r"[^@\s,]+@[^@\s,]+\.[a-z]+", p.get("ToAddress", "")):
            raise Refused("InvalidToAddress")
        if not 0 < len(p.get("Subject", "")) <= 100:
            raise Refused("InvalidSubject.Malformed")
        if not p.get("TextBody") and not p.get("HtmlBody"):
            raise Refused("InvalidBody")
        if len(p.get("FromAlias", "")) >= 15:
            raise Refused("InvalidFromAlias.Malformed")
        self.mails.append(p)
        return {"EnvId": "600000000000"}

    def sms_settings(self):
        return {"sms.endpoint": self.url, "sms.access_key_id": KEY_ID, "sms.access_key_secret": KEY_SECRET,
                "sms.sign_name": SIGN_NAME, "sms.template_code": "SMS_123456789"}

    def mail_settings(self):
        return {"directmail.endpoint": self.url, "directmail.access_key_id": KEY_ID,
                "directmail.access_key_secret": KEY_SECRET, "directmail.account_name": ACCOUNT}
