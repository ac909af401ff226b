// What a person does with an account on the page: mail address, second factor, registering, a forgotten password.
import {expect, totp, until} from "./lib.mjs";

/* The page is as wide as a phone; anna, the administrator, is signed in. */
export function accountSteps({homeport, sink, sms, browser, page, press, fill, focused, isWide, PASSWORD}) {
  const NEW = "another correct horse";
  const PHONE = "+8613800138000";
  let secret = "", codes = [];

  const text = (words) => page.getByText(words).first().waitFor();
  const title = (words) => page.getByRole("heading", {name: words, exact: true}).waitFor();
  const input = (label) => page.getByLabel(label, {exact: true});
  const isWrong = async (label) => await input(label).getAttribute("aria-invalid") === "true";
  const reasonAt = async (label) => page.locator(`#${(await input(label).getAttribute("aria-describedby")).split(" ")[1]}`).innerText();

  async function toSignIn() {
    if (await page.getByRole("button", {name: "Sign out"}).isVisible()) await press("Sign out");
    await title("Sign in");
  }

  async function signIn(account, password) {
    await toSignIn();
    await fill("User name or mail address", account, page);
    await input("Password").fill(password);
    await press("Sign in");
  }

  /* From the view's first button to the codes; leaves secret and codes. */
  async function setUpFactor() {
    await press("Set it up");
    secret = await input("Key").inputValue();
    const link = await page.getByRole("link", {name: "Or open it in an app on this device"}).getAttribute("href");
    expect(link.startsWith("otpauth://totp/") && link.includes(secret), link);
    await text(secret.match(/.{4}/g).join(" "));
    expect(!await isWide(), "the key is wider than the phone");
    await input("Code of the second factor").fill("12345");
    await press("Switch it on");
    await until("the code is refused", () => isWrong("Code of the second factor"));
    await input("Code of the second factor").fill(totp(secret));
    await press("Switch it on");
    await title("Recovery codes");
    codes = (await input("Recovery codes").inputValue()).split("\n");
    expect(codes.length === 10, `${codes.length} recovery codes`);
    expect(!await isWide(), "the recovery codes are wider than the phone");
    await press("I have kept them");
  }

  async function openRegister(name) {
    await toSignIn();
    await press("Make an account");
    await fill("User name", name, page);
    await fill("Mail address", `${name}@example.test`, page);
    await input("Password").fill(PASSWORD);
    await press("Make an account");
  }

  return [
    ["a mail address is confirmed by the mail's link, and the page sees it", async () => {
      const count = sink.mails.length;
      await press("Confirm your mail address");
      await text("A link was sent to anna@example.test.");
      const link = await sink.link(count);
      const tab = await browser.newPage();
      await tab.goto(link);
      await tab.getByRole("heading", {name: "Mail address confirmed"}).waitFor();
      expect(tab.url() === `${homeport.base}/`, tab.url());
      await page.getByRole("button", {name: "Confirm your mail address"}).waitFor({state: "detached"});
      await tab.goto(link);
      await tab.getByRole("heading", {name: "Mail address not confirmed"}).waitFor();
      await tab.close();
    }],
    ["a second factor is set up, and its recovery codes are shown", async () => {
      await press("Second factor");
      await title("Second factor");
      expect(await focused() === "Second factor", "the focus is not on the new view");
      await text("It is off.");
      await setUpFactor();
      await text("203.0.113.12");
      await page.getByText("Live", {exact: true}).waitFor();
    }],
    ["signing in asks for its code, says when it is wrong, and takes the right one", async () => {
      const label = "Code of the second factor";
      await signIn("anna", PASSWORD);
      await until("the field has the focus", async () => await focused() === "totp");
      expect(!await isWrong(label) && await reasonAt(label) === "", "asking is shown as a mistake");
      await input(label).fill(totp(secret, 20));
      await press("Sign in");
      await until("the code is refused", () => isWrong(label));
      expect((await reasonAt(label)).includes("is wrong or was used before"), await reasonAt(label));
      await fill("User name or mail address", "annabel", page);
      expect(!await input(label).isVisible(), "the code is asked for with another account");
      await fill("User name or mail address", "anna", page);
      await input(label).fill(totp(secret, 1));
      await press("Sign in");
      await text("203.0.113.12");
    }],
    ["a recovery code switches it off", async () => {
      await press("Second factor");
      await text("It is on:");
      await input("Code of the second factor").fill(codes[0].toLowerCase());
      await press("Switch it off");
      await text("It is off.");
      await press("Back");
      await text("203.0.113.12");
    }],
    ["registering asks for a phone number where SMS is set up", async () => {
      await openRegister("bob");
      await text("An account here needs a phone number");
      expect(await focused() === "phone_number", "the focus is not on the phone number");
      await fill("Phone number", "12345", page);
      await press("Send code");
      await text("must be + and 7 to 15 digits");
      await fill("Phone number", PHONE, page);
      await press("Send code");
      await text(`A code was sent to ${PHONE}.`);
      expect(await focused() === "sms_code", "the focus is not on the code");
      expect(!await isWide(), "the form is wider than the phone");
      await input("Code from the message").fill(sms.codes.at(-1) === "000000" ? "000001" : "000000");
      await press("Make an account");
      await until("the code is refused", () => isWrong("Code from the message"));
      await input("Code from the message").fill(sms.codes.at(-1));
      await press("Make an account");
      await text("No domains yet.");
    }],
    ["a role that must have a second factor gets there at once, and on from there", async () => {
      await homeport.signIn("anna", PASSWORD);
      const bob = (await homeport.call("GET", "/api/v1/users?q=bob")).items[0];
      await homeport.call("PATCH", `/api/v1/users/${bob.id}`, {role: "operator"});
      await signIn("bob", PASSWORD);
      await text("Your role asks for a second factor.");
      expect(!await page.getByRole("button", {name: "Back"}).isVisible(), "there is a way around");
      await page.reload();
      await text("Your role asks for a second factor.");
      await setUpFactor();
      await text("No addresses yet.");
      await page.getByText("Live", {exact: true}).waitFor();
    }],
    ["a forgotten password: whoever asks gets one answer, the mail's link takes a new one", async () => {
      await toSignIn();
      for (const account of ["nobody", "bob"]) {
        const count = sink.mails.length;
        await press("Forgotten your password?");
        await fill("User name or mail address", account, page);
        await press("Mail me a link");
        await text("If there is such an account");
        if (account === "nobody") await press("Back to the sign-in");
        else await page.goto(await sink.link(count));
      }
      await title("New password");
      expect(page.url() === `${homeport.base}/`, `the token stays in the address: ${page.url()}`);
      await input("New password").fill(NEW);
      await input("New password, again").fill(`${NEW}!`);
      await press("Set the password");
      await until("the second is marked", () => isWrong("New password, again"));
      for (const label of ["New password", "New password, again"]) await input(label).fill("short");
      await press("Set the password");
      await until("the first is marked", () => isWrong("New password"));
      for (const label of ["New password", "New password, again"]) await input(label).fill(NEW);
      await press("Set the password");
      await text("The new password is set.");
    }],
    ["the new password signs in, with a recovery code; the link is spent", async () => {
      await signIn("bob", NEW);
      await input("Code of the second factor").fill(codes[1]);
      await press("Sign in");
      await text("No addresses yet.");
      await page.goto(`${homeport.base}/#reset?token=1.spent`);
      for (const label of ["New password", "New password, again"]) await input(label).fill(NEW);
      await press("Set the password");
      await text("The code or link is wrong");
    }],
    ["a device's account has no name, and breaks nothing", async () => {
      const {access_token: access, refresh_token: refresh, user} =
        await homeport.call("POST", "/api/v1/auth/login", {device_id: "a-device-of-the-test"});
      const renewed = page.waitForResponse((answer) => answer.url().endsWith("/auth/refresh") && answer.status() === 200);
      await page.evaluate((session) => sessionStorage.setItem("homeport.session", session),
        JSON.stringify({access, refresh, user, until: Date.now() + 5_000}));
      await page.reload();
      await page.locator(".who", {hasText: "device"}).waitFor();
      await text("No domains yet.");
      await renewed;
      await press("Second factor");
      await text("It is off.");
    }],
    ["a ban is told in a sentence, and until when", async () => {
      await homeport.signIn("anna", PASSWORD);
      for (let status = 401; status === 401;) {
        const answer = await fetch(`${homeport.base}/api/v1/auth/login`, {method: "POST", headers: {"Content-Type": "application/json"},
          body: JSON.stringify({account: "nobody", password: "wrong horse"})});
        status = answer.status;
      }
      await signIn("bob", NEW);
      await text(/^This address is banned .* · possible again in 60 min$/);
      const [ban] = (await homeport.call("GET", "/api/v1/bans")).items;
      await homeport.call("DELETE", `/api/v1/bans/${ban.id}`);
    }],
    ["without mail and SMS nobody is asked for a phone number or sent to a mailbox", async () => {
      await homeport.stop();
      for (const name of Object.keys({...sink.settings, ...sms.settings})) delete homeport.settings[name];
      await homeport.start();
      await openRegister("carl-whose-mail-address-is-long");
      await text("No domains yet.");
      expect(!await isWide(), "the mail address is wider than the phone");
      await press("Confirm your mail address");
      await text("Mail is not set up here");
      await page.getByRole("button", {name: "Confirm your mail address"}).waitFor({state: "detached"});
      expect(await focused() === "Home", "the focus is lost");
      await toSignIn();
      await press("Forgotten your password?");
      await fill("User name or mail address", "carl-whose-mail-address-is-long", page);
      await press("Mail me a link");
      await text("Mail is not set up here · Whoever runs this homeport");
      await page.evaluate(() => localStorage.removeItem("homeport.mailOff"));
    }],
  ];
}
