"""POST /api/v1/auth/token: the password and refresh grants of OAuth 2, in the words of RFC 6749."""
import pytest

from lib.homeport import PASSWORD
from lib.wait import wait_until

ME, LOGIN = "/api/v1/users/me", "/api/v1/auth/login"
TOKEN = "/api/v1/auth/token"
GRANT = {"grant_type": "password", "username": "x", "password": "y"}


def test_oauth_password_form(server, user):
    """POST /auth/token speaks RFC 6749: a form in, access_token and token_type out, invalid_grant for a wrong password."""
    c, name = server.client(), user.get(ME).data["username"]
    form = {"grant_type": "password", "username": name, "password": PASSWORD}
    r = c.request("POST", TOKEN, data=form)
    assert r.body["token_type"].lower() == "bearer" and r.headers["cache-control"] == "no-store"
    assert server.client(token=r.body["access_token"]).get(ME).data["username"] == name
    bad = c.request("POST", TOKEN, data={**form, "password": "x"}, expect=(400, 401))
    assert bad.body["error"] == "invalid_grant"


@pytest.mark.parametrize("form, error", [
    ("", "invalid_request"), ("grant_type=", "invalid_request"), ("grant_type=password", "invalid_request"),
    ("grant_type=password&username=a&password=", "invalid_request"), ("grant_type=refresh_token", "invalid_request"),
    ("grant_type=password&username=a&username=b&password=c", "invalid_request"),
    ("grant_type=password&username=%ff&password=c", "invalid_request"), ("grant_type=%zz", "invalid_request"),
    ("grant_type=password&username=%00&password=c", "invalid_request"),
    ("grant_type=password&password=c&username=" + "a" * 300, "invalid_request"),
    ("grant_type=client_credentials", "unsupported_grant_type"), ("grant_type=PASSWORD&username=a&password=b", "unsupported_grant_type"),
    ("grant_type=refresh_token&refresh_token=abc", "invalid_grant"), ("grant_type=password&username=nobody&password=wrong", "invalid_grant")])
def test_oauth_refusals_are_those_of_rfc_6749(server, form, error):
    """Each wrong form gets status 400 and its word, never our envelope: one form per rule of RFC 6749, 3.2 and 5.2."""
    r = server.client().request("POST", TOKEN, content=form, headers={"Content-Type": "application/x-www-form-urlencoded"}, expect=400)
    assert r.body["error"] == error and set(r.body) == {"error", "error_description"}, r
    assert r.headers["cache-control"] == "no-store"


def test_oauth_takes_a_form_and_nothing_else(server, user):
    """JSON is refused; blanks as +, escapes, a charset, and what a client sends besides (scope, client_id, Basic) are taken."""
    c, name = server.client(), user.get(ME).data["username"]
    assert c.request("POST", TOKEN, {**GRANT}, expect=400).body["error"] == "invalid_request"
    form = f"scope=ddns%3Aread&client_id=app&client_secret=&grant%5Ftype=password&username=%20{name.upper()}&password={PASSWORD.replace(' ', '+')}"
    head = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8", "Authorization": "Basic YXBwOng="}
    body = c.request("POST", TOKEN, content=form, headers=head).body
    assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert body["token_type"] == "bearer" and 1790 <= body["expires_in"] <= 1800 and body["scope"] == ""


def test_oauth_refresh(homeport):
    """grant_type=refresh_token rotates as /auth/refresh does: within the grace the same successor, after it the end of the sign-in."""
    h = homeport({"auth.refresh_grace": 1})
    u = h.user("oauth")
    refresh = lambda token, expect=200: h.client().request(
        "POST", TOKEN, data={"grant_type": "refresh_token", "refresh_token": token}, expect=expect).body
    new = refresh(u.refresh)
    assert new["refresh_token"] != u.refresh
    h.client(token=new["access_token"]).get(ME)
    assert refresh(u.token, 400)["error"] == "invalid_grant"  # an access token refreshes nothing
    wait_until(lambda: "error" in refresh(u.refresh, (200, 400)), 10, "the grace's end", every=0.2)
    assert refresh(new["refresh_token"], 400)["error"] == "invalid_grant"
    h.client(token=new["access_token"]).get(ME, expect=401)


def test_oauth_failures_count_and_the_switched_off_are_refused(homeport):
    """Guessing by the form is counted as guessing by JSON is; who is switched off has no valid grant."""
    h = homeport({"limits.login_failures": 3}, free=False)
    admin = h.admin()
    u = h.user("victim")
    form = {**GRANT, "username": "victim", "password": PASSWORD}
    admin.patch(f"/api/v1/users/{u.me['id']}", {"is_active": False})
    assert h.client().request("POST", TOKEN, data=form, expect=400).body["error"] == "invalid_grant"
    statuses = [h.client().request("POST", TOKEN, data={**form, "password": "x"}, expect=(400, 403)).status for _ in range(5)]
    assert statuses == [400, 400, 400, 403, 403], statuses
    h.client().post(LOGIN, {"account": "victim", "password": PASSWORD}, expect=403)


def test_the_document_offers_the_authorize_button(server):
    """The docs page's Authorize button finds the password flow and its token path; the route's body is a form."""
    document = server.client().schema().document
    flow = document["components"]["securitySchemes"]["password"]["flows"]["password"]
    assert flow["tokenUrl"] == TOKEN and {"password": []} in document["paths"][ME]["get"]["security"]
    assert list(document["paths"][TOKEN]["post"]["requestBody"]["content"]) == ["application/x-www-form-urlencoded"]
