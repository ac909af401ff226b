// The first page from setup to a live change, and the two documentation pages, as a person uses them.
// Run by run.sh. Any exception, any word of the content security policy and any request to another host fails.
import fs from "node:fs";
import path from "node:path";
import {accountSteps} from "./accounts.mjs";
import {Homeport, MailSink, Provider, SmsService, expect, folder, openBrowser, run, until} from "./lib.mjs";

const PASSWORD = "correct horse battery";
const homeport = new Homeport(), provider = new Provider(), sink = new MailSink(), sms = new SmsService();
for (const outside of [provider, sink, sms]) await outside.start();
Object.assign(homeport.settings, sink.settings, sms.settings, {"auth.mfa_required_roles": "operator"});
await homeport.start();
const {browser, page, troubles} = await openBrowser(homeport.base);

const dialog = page.getByRole("dialog");
const press = (name, where = page) => where.getByRole("button", {name, exact: true}).click();
const fill = (label, text, where = dialog) => where.getByLabel(label).fill(text);
const row = (name) => page.locator("li.record").filter({has: page.getByText(name, {exact: true})});
const focused = () => page.evaluate(() => document.activeElement.textContent || document.activeElement.name);
const rowReads = (name, ...texts) => until(`the row ${name} reads ${texts}`, async () => {
  const text = await row(name).innerText().catch(() => "");
  return texts.every((part) => text.includes(part));
});
const isWide = () => page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

async function addRecord(name, choose = async () => {}) {
  await press("Add a record: example.test");
  await fill("Name", name);
  await choose();
  await press("Add a record", dialog);
  await dialog.waitFor({state: "detached"});
}

const steps = [
  ["the setup token is taken from the address, which forgets it", async () => {
    await page.goto(`${homeport.base}/#token=${homeport.token}`);
    await page.getByRole("heading", {name: "Set up homeport"}).waitFor();
    expect(await page.getByLabel("Setup token").inputValue() === homeport.token, "the token is not filled in");
    expect(!page.url().includes("token"), "the token stays in the address");
    expect(await focused() === "Set up homeport", "the focus is not on the new view");
  }],
  ["what is wrong stands beside each input, and the first has the focus", async () => {
    await fill("User name", "a", page);
    await fill("Mail address", "none", page);
    await page.getByLabel("Password", {exact: true}).fill("short");
    await press("Make the administrator");
    await page.getByText("Some fields are wrong").waitFor();
    for (const label of ["User name", "Mail address", "Password"]) {
      const input = page.getByLabel(label, {exact: true});
      const ids = (await input.getAttribute("aria-describedby")).split(" ");
      expect(await input.getAttribute("aria-invalid") === "true", `${label} is not marked`);
      expect((await page.locator(`#${ids[1]}`).innerText()).startsWith("must"), `${label} has no reason`);
    }
    expect(await focused() === "username", "the focus is not on the first wrong field");
  }],
  ["setup makes the administrator and shows what to do next", async () => {
    await fill("User name", "anna", page);
    await fill("Mail address", "anna@example.test", page);
    await page.getByLabel("Password", {exact: true}).fill(PASSWORD);
    await press("Make the administrator");
    await page.getByText("No domains yet.").waitFor();
    await page.getByText("Live", {exact: true}).waitFor();
  }],
  ["a source is added, and its address is shown", async () => {
    await press("Add a source");
    await fill("Name", "by hand");
    await dialog.getByLabel("How the address is found").selectOption("fixed");
    await dialog.getByLabel("Address", {exact: true}).fill("127.0.0.1");
    await press("Add a source", dialog);
    await dialog.getByText("must be an address that others can reach").waitFor();
    await dialog.getByLabel("Address", {exact: true}).fill("203.0.113.7");
    await press("Add a source", dialog);
    await page.locator(".address", {hasText: "203.0.113.7"}).waitFor();
  }],
  ["a domain's form has the fields its provider asks for", async () => {
    await press("Add a domain");
    await fill("Zone", "example.test");
    await dialog.getByLabel("DNS provider").selectOption("cloudflare");
    expect(await dialog.getByLabel("API token").isVisible(), "no field for the token");
    await dialog.getByLabel("DNS provider").selectOption("callback");
    expect(!await dialog.getByLabel("API token").isVisible(), "another provider's field is there");
    await fill("URL, with placeholders", provider.url);
    await fill("Header fields", "X-Secret: a: b");
    await press("Add a domain", dialog);
    await page.getByRole("heading", {name: "example.test"}).waitFor();
    await page.getByText("No records yet.").waitFor();
  }],
  ["a record that follows the source gets synced", async () => {
    await addRecord("home");
    await rowReads("home", "203.0.113.7", "follows by hand", "synced");
    const made = provider.calls.at(-1);
    expect(made.path === "/home.example.test/A/203.0.113.7", made.path);
    expect(made.headers["x-secret"] === "a: b", JSON.stringify(made.headers));
  }],
  ["what the provider refuses is shown in full", async () => {
    await addRecord("refused", async () => {
      await dialog.getByLabel("Follows an address").uncheck();
      await fill("Value", "203.0.113.50");
    });
    await rowReads("refused", "error", "HTTP 400");
  }],
  ["a changed address goes out, and its row changes by itself and alone", async () => {
    await page.evaluate(() => document.querySelectorAll("li.record").forEach((node) => { node.isSame = true; }));
    await press("Change address: by hand");
    await dialog.getByLabel("Address", {exact: true}).fill("203.0.113.9");
    await press("Save", dialog);
    await rowReads("home", "203.0.113.9", "synced");
    expect(provider.calls.at(-1).path === "/home.example.test/A/203.0.113.9", provider.calls.at(-1).path);
    const areSame = await page.evaluate(() => [...document.querySelectorAll("li.record")].every((node) => node.isSame));
    expect(areSame, "rows were drawn anew");
  }],
  ["what another device changes shows here", async () => {
    await homeport.signIn("anna", PASSWORD);
    const [source] = (await homeport.call("GET", "/api/v1/ddns/sources")).items;
    await homeport.call("PATCH", `/api/v1/ddns/sources/${source.id}`, {value: "203.0.113.10"});
    await rowReads("home", "203.0.113.10", "synced");
    await page.locator(".address", {hasText: "203.0.113.10"}).waitFor();
  }],
  ["a record's history tells its values, and the focus comes back", async () => {
    await press("History: home.example.test A");
    for (const value of ["203.0.113.7", "203.0.113.9", "203.0.113.10"]) await dialog.getByText(value, {exact: true}).waitFor();
    await page.keyboard.press("Escape");
    expect(await focused() === "History", "the focus is lost");
  }],
  ["a key for a router comes with an address that works", async () => {
    await addRecord("router", () => dialog.getByLabel("Which address").selectOption({label: "What a router sends to /nic/update"}));
    await press("Make a key for a router");
    await press("Make a key for a router", dialog);
    const url = new URL((await dialog.getByLabel("Update URL", {exact: true}).inputValue()).replace("<ipaddr>", "203.0.113.77"));
    expect(url.searchParams.get("hostname") === "router.example.test", url.search);
    const authorization = `Basic ${Buffer.from(`${url.username}:${url.password}`).toString("base64")}`;
    const answer = await (await fetch(`${url.origin}${url.pathname}${url.search}`, {headers: {authorization}})).text();
    expect(answer.trim() === "good 203.0.113.77", answer);
    await press("Close", dialog);
    await rowReads("router", "203.0.113.77", "synced");
  }],
  ["deleting asks first", async () => {
    await press("Delete: refused.example.test A");
    await press("Cancel", dialog);
    await row("refused").waitFor();
    await press("Delete: refused.example.test A");
    await press("Delete", dialog);
    await row("refused").waitFor({state: "detached"});
  }],
  ["after a restart the page catches up", async () => {
    await homeport.stop();
    await page.getByText("Connection lost, trying again…").waitFor();
    await homeport.start();
    const [source] = (await homeport.call("GET", "/api/v1/ddns/sources")).items;
    await homeport.call("PATCH", `/api/v1/ddns/sources/${source.id}`, {value: "203.0.113.11"});
    await page.getByText("Live", {exact: true}).waitFor({timeout: 40_000});
    await rowReads("home", "203.0.113.11", "synced");
  }],
  ["the tokens are replaced before they run out, and events go on", async () => {
    await page.waitForResponse((answer) => answer.url().endsWith("/auth/refresh") && answer.status() === 200, {timeout: 30_000});
    await homeport.signIn("anna", PASSWORD);
    const [source] = (await homeport.call("GET", "/api/v1/ddns/sources")).items;
    await homeport.call("PATCH", `/api/v1/ddns/sources/${source.id}`, {value: "203.0.113.12"});
    await rowReads("home", "203.0.113.12", "synced");
  }],
  ["Chinese, dark and on a phone: nothing sticks out", async () => {
    await page.setViewportSize({width: 360, height: 740});
    await page.emulateMedia({colorScheme: "dark"});
    expect(!await isWide(), "the English page is wider than the phone");
    await press("中文");
    await page.getByRole("heading", {name: "当前地址"}).waitFor();
    await rowReads("home", "203.0.113.12", "已同步");
    expect(await page.evaluate(() => document.documentElement.lang) === "zh-CN", "the page does not say it is Chinese");
    expect(!await isWide(), "the Chinese page is wider than the phone");
    await press("添加来源");
    expect(!await isWide(), "the form is wider than the phone");
    await page.keyboard.press("Escape");
    await press("English");
  }],
  ["signing out leaves nothing behind; signing in brings it back", async () => {
    await press("Sign out");
    await page.getByRole("heading", {name: "Sign in"}).waitFor();
    expect(await page.evaluate(() => sessionStorage.length) === 0, "tokens stay");
    await page.reload();
    await fill("User name or mail address", "anna", page);
    await page.getByLabel("Password", {exact: true}).fill("wrong horse");
    await press("Sign in");
    await page.getByText("Account or password is wrong").waitFor();
    await page.getByLabel("Password", {exact: true}).fill(PASSWORD);
    await press("Sign in");
    await rowReads("home", "203.0.113.12", "synced");
  }],
  ...accountSteps({homeport, sink, sms, browser, page, press, fill, focused, isWide, PASSWORD}),
  ["/docs shows the description, and takes none from its address", async () => {
    await page.setViewportSize({width: 1200, height: 900});
    await page.goto(`${homeport.base}/docs?url=https://elsewhere.example/a.json&configUrl=https://elsewhere.example/b.json`);
    await page.getByText("/api/v1/ddns/sources/{id}").first().waitFor({timeout: 30_000});
    await page.goto(`${homeport.base}/docs/`);
    await page.getByText("/api/v1/ddns/sources/{id}").first().waitFor({timeout: 30_000});
  }],
  ["/redoc shows the description", async () => {
    await page.goto(`${homeport.base}/redoc?url=https://elsewhere.example/a.json`);
    await page.getByRole("heading", {name: /^homeport/}).first().waitFor({timeout: 30_000});
  }],
  ["no errors, nothing against the policy, no other host", async () => {
    await page.waitForLoadState("networkidle");
    expect(troubles.length === 0, troubles.join("\n"));
  }],
];

const failedPicture = path.join(path.dirname(folder), "failed.png");
const count = await run(steps, async () => {
  await page.screenshot({path: failedPicture, fullPage: true});
  console.log(`the page then: ${failedPicture}\n${troubles.join("\n")}\n${homeport.log.slice(-2000)}`);
});
await browser.close();
await homeport.stop();
[provider, sink, sms].forEach((outside) => outside.stop());
fs.rmSync(folder, {recursive: true, force: true, maxRetries: 5});
console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
process.exit(count.failed > 0 ? 1 : 0);
