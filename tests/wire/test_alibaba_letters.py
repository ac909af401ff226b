"""SMS and DirectMail against stand-ins that verify the signature of every request."""
import pytest

from lib.fake_alibaba_letters import KEY_ID, KEY_SECRET, FakeAlibabaLetters
from lib.httpd import drop, garbage, hang, lost, status
from lib.mail_sink import MailSink
from lib.vectors import judge
from wire.test_mail import refused, send  # noqa: F401  (a fixture)

TO, PHONE = "you@example.test", "+8613800000000"


@pytest.fixture
def cloud():
    with FakeAlibabaLetters() as f:
        yield f


@pytest.mark.parametrize("to,number", [(PHONE, "13800000000"), ("+85261234567", "85261234567"), ("+12025550123", "12025550123")])
def test_sms(send, cloud, to, number):
    """The service gets the number as it wants it, the signature it approved, and a code as text."""
    r = send(cloud.sms_settings(), to=to)
    assert r.returncode == 0 and "Alibaba SMS took it" in r.stdout, r.stderr
    (p,) = cloud.messages
    assert p["PhoneNumbers"] == number and p["TemplateCode"] == "SMS_123456789" and len(p["code"]) == 6


def test_sms_in_english(send, cloud):
    """Another template for letters in English, where there is one; the base URL may end in a slash."""
    s = cloud.sms_settings() | {"sms.template_code_en": "SMS_EN_000001", "sms.endpoint": cloud.url + "/"}
    assert send(s, to=PHONE).returncode == 0
    assert send(s | {"notify.language": "zh"}, to=PHONE).returncode == 0
    assert [p["TemplateCode"] for p in cloud.messages] == ["SMS_EN_000001", "SMS_123456789"]


@pytest.mark.parametrize("code,words", [
    ("isv.BUSINESS_LIMIT_CONTROL", "too many messages"), ("isv.AMOUNT_NOT_ENOUGH", "balance"), ("isp.SYSTEM_ERROR", "a fault at Alibaba"),
    ("isv.SOMETHING_NEW", "isv.SOMETHING_NEW"), ("isv.ACCOUNT_ABNORMAL", "account"), ("NotKnown", "error centre"),
])
def test_sms_refusals(send, cloud, code, words):
    """HTTP 200 with another Code than OK is a refusal, told with what to do."""
    cloud.code = code
    assert "not sent" in refused(send(cloud.sms_settings(), to=PHONE), words, "触发分钟级流控")


def test_wrong_keys(send, cloud):
    """A wrong secret or id is told as such, and shown nowhere."""
    s = cloud.sms_settings()
    assert "wrong-secret" not in refused(send(s | {"sms.access_key_secret": "wrong-secret"}, to=PHONE), "does not belong to its id")
    refused(send(s | {"sms.access_key_id": "LTAIunknown"}, to=PHONE), "unknown or switched off")
    refused(send(s | {"sms.sign_name": "别的签名"}, to=PHONE), "sms.sign_name")
    refused(send(s | {"sms.template_code": "SMS_0"}, to=PHONE), "sms.template_code")
    assert not cloud.messages


@pytest.mark.parametrize("fault", [hang(), drop(), lost(), garbage(), status(502, b"<html>"), status(200, {"RequestId": "x"})])
def test_sms_unknown(send, cloud, fault):
    """A request that left and came to nothing that can be read: it is not known, and that is said."""
    cloud.fail(fault)
    refused(send(cloud.sms_settings(), to=PHONE), "not known whether")
    assert len(cloud.requests()) == 1


def test_nobody_there(send, cloud):
    """A service that cannot be reached has certainly sent nothing."""
    assert "not sent" in refused(send(cloud.sms_settings() | {"sms.endpoint": "http://127.0.0.1:9"}, to=PHONE), "refused the connection")


def test_clock(send):
    """A clock that is wrong is told, and one repeat with the service's time works."""
    with FakeAlibabaLetters(clock_offset_s=3600) as cloud:
        r = send(cloud.sms_settings(), to=PHONE)
        assert r.returncode == 0 and "clock" in r.stdout, r.stderr
        assert len(cloud.requests()) == 2 and len(cloud.messages) == 1


def test_directmail(send, cloud):
    """Mail by DirectMail: all in the body, the words of the mail in the language wanted."""
    r = send(cloud.mail_settings() | {"directmail.from_alias": "家", "notify.language": "zh"})
    assert r.returncode == 0 and "Alibaba DirectMail took it" in r.stdout, r.stderr
    (p,) = cloud.mails
    assert p["FromAlias"] == "家" and p["Subject"] == "homeport：测试邮件" and "您好" in p["TextBody"]
    assert send(cloud.mail_settings()).returncode == 0 and "FromAlias" not in cloud.mails[1]


@pytest.mark.parametrize("code,words", [("InvalidMailAddress.NotFound", "directmail.account_name"), ("InvalidSendMail.Spam", "spam"),
                                        ("InvalidDayQuota.Exceed", "InvalidDayQuota"), ("Throttling.User", "too many calls")])
def test_directmail_refusals(send, cloud, code, words):
    """A refusal is told with what to do."""
    cloud.code = code
    refused(send(cloud.mail_settings()), words)


def test_which_way(send, cloud):
    """With both set up mail goes by SMTP, unless notify.mail says otherwise."""
    with MailSink() as sink:
        both = sink.settings() | cloud.mail_settings()
        assert send(both).returncode == 0 and (len(sink.mails), len(cloud.mails)) == (1, 0)
        assert send(both | {"notify.mail": "directmail"}).returncode == 0 and (len(sink.mails), len(cloud.mails)) == (1, 1)
        assert send(both | {"notify.mail": "smtp"}).returncode == 0 and (len(sink.mails), len(cloud.mails)) == (2, 1)
    refused(send(sink.settings() | {"notify.mail": "directmail"}), "not set up")


@pytest.mark.slow
def test_vendor_judge(send, cloud, tmp_path):
    """The vendor's own code finds our signatures right."""
    s = cloud.sms_settings() | cloud.mail_settings()
    assert send(s, to="+85261234567").returncode == 0 and send(s).returncode == 0
    for verdict in judge(tmp_path / "judge", cloud.requests(), {KEY_ID: KEY_SECRET}):
        assert verdict["ok"], verdict
