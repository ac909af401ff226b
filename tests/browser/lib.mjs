// What page.mjs needs around the page: the program, a DNS provider, mail and SMS, an authenticator, the browser, and counting.
import {spawn} from "node:child_process";
import {createHmac} from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import {createRequire} from "node:module";
import net from "node:net";
import path from "node:path";

const CACHE = process.env.HOMEPORT_BROWSER_CACHE;
const {chromium} = createRequire(`${CACHE}/`)("playwright-core");
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

export const folder = fs.mkdtempSync(path.join(CACHE, "run-"));
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export async function until(what, look, limitMs = 15_000) {
  for (const end = Date.now() + limitMs; Date.now() < end; await sleep(50)) {
    const seen = await look();
    if (seen) return seen;
  }
  throw new Error(`never came: ${what}`);
}

export function expect(fact, sentence) {
  if (!fact) throw new Error(sentence);
}

// ---- the program

const freePort = () => new Promise((done) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const {port} = server.address();
    server.close(() => done(port));
  });
});

export class Homeport {
  log = "";
  settings = {"net.allow_private": "127.0.0.0/8", "ddns.cooldown": 0, "auth.access_ttl": 30};

  async start() {
    this.port ??= await freePort();
    this.base = `http://127.0.0.1:${this.port}`;
    const data = path.join(folder, "data");
    fs.mkdirSync(data, {recursive: true});
    fs.writeFileSync(path.join(data, "homeport.conf"), Object.entries(this.settings).map(([name, value]) => `${name} = ${value}\n`).join(""));
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("HOMEPORT_")));
    const flags = ["serve", "--data", data, "--listen", `127.0.0.1:${this.port}`];
    this.process = spawn(process.env.HOMEPORT_BIN, flags, {env, stdio: ["ignore", "pipe", "pipe"]});
    for (const stream of [this.process.stdout, this.process.stderr]) stream.on("data", (text) => { this.log += text; });
    this.ended = new Promise((done) => this.process.on("exit", done));
    await until("homeport answers", () => fetch(`${this.base}/readyz`).then((answer) => answer.ok, () => false));
  }

  async stop() {
    this.process?.kill("SIGTERM");
    await this.ended;
  }

  get token() {
    return /setup token: (\S+)/.exec(this.log)[1];
  }

  /** A call beside the page, as another device would make it. */
  async call(method, route, body) {
    const headers = {"Content-Type": "application/json", ...(this.access && {Authorization: `Bearer ${this.access}`})};
    const answer = await (await fetch(this.base + route, {method, headers, body: body && JSON.stringify(body)})).json();
    expect(answer.code === 0, `${method} ${route}: ${JSON.stringify(answer)}`);
    return answer.data;
  }

  async signIn(account, password) {
    this.access = undefined;
    this.access = (await this.call("POST", "/api/v1/auth/login", {account, password})).access_token;
  }
}

/** A provider that takes everything but names with "refused" in them. */
export class Provider {
  calls = [];

  async start() {
    this.server = http.createServer((request, response) => {
      this.calls.push({path: request.url, headers: request.headers});
      response.statusCode = request.url.includes("refused") ? 400 : 200;
      response.end("ok");
    });
    await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
    this.url = `http://127.0.0.1:${this.server.address().port}/{fqdn}/{type}/{value}`;
  }

  stop() {
    this.server.close();
  }
}

// ---- letters

/** A mail server that takes every mail; mails holds their texts. */
export class MailSink {
  mails = [];

  async start() {
    this.server = net.createServer((socket) => this.speak(socket));
    await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
    this.settings = {"smtp.url": `smtp://127.0.0.1:${this.server.address().port}`, "smtp.from": "homeport@example.test", "smtp.starttls": "false"};
  }

  speak(socket) {
    let rest = "", mail = null;
    const say = (line) => socket.write(`${line}\r\n`);
    const take = (line) => {
      if (mail === null) return this.command(line, say, () => { mail = []; });
      if (line !== ".") return mail.push(line);
      this.mails.push(Buffer.from(mail.slice(mail.indexOf("")).join(""), "base64").toString());
      mail = null;
      say("250 taken");
    };
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      const lines = (rest + bytes).split("\r\n");
      rest = lines.pop();
      lines.forEach(take);
    });
    say("220 sink.example.test");
  }

  command(line, say, begin) {
    const word = line.slice(0, 4).toUpperCase();
    if (word === "DATA") begin();
    say({DATA: "354 go on", QUIT: "221 bye"}[word] ?? "250 ok");
  }

  /** The link in the next mail that comes after `count` others. */
  link(count) {
    return until("a mail", () => this.mails[count]).then((text) => /http:\/\/\S+/.exec(text)[0]);
  }

  stop() {
    this.server.close();
  }
}

/** Alibaba's SMS service, who believes every signature; codes holds what it was to send. */
export class SmsService {
  codes = [];

  async start() {
    this.server = http.createServer((request, response) => {
      this.codes.push(JSON.parse(new URL(request.url, "http://x").searchParams.get("TemplateParam")).code);
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify({Code: "OK", Message: "OK", RequestId: "1", BizId: "1^0"}));
    });
    await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
    this.settings = {"sms.endpoint": `http://127.0.0.1:${this.server.address().port}`, "sms.access_key_id": "LTAIexample",
      "sms.access_key_secret": "secret", "sms.sign_name": "示例签名", "sms.template_code": "SMS_123456789"};
  }

  stop() {
    this.server.close();
  }
}

/** The code that an authenticator shows (RFC 6238), now or some steps of 30 s away. */
export function totp(secret, steps = 0) {
  const bits = [...secret].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0")).join("");
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac("sha1", Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)))).update(counter).digest();
  return String((mac.readUInt32BE(mac.at(-1) & 15) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

// ---- the browser

export async function openBrowser(base) {
  const browser = await chromium.launchPersistentContext(path.join(folder, "browser"), {
    executablePath: process.env.HOMEPORT_CHROMIUM, headless: true, args: FLAGS, locale: "en-GB", viewport: {width: 1200, height: 900}});
  const page = browser.pages()[0] ?? await browser.newPage();
  const troubles = [];
  page.setDefaultTimeout(10_000);
  page.on("pageerror", (error) => troubles.push(`exception: ${error.stack}`));
  page.on("console", (message) => {
    const isRefusal = message.text().startsWith("Failed to load resource"); // a status the page was given, and showed
    if (message.type() === "error" && !isRefusal) troubles.push(`console: ${message.text()}`);
  });
  browser.on("request", (request) => {
    const isOurs = request.url().startsWith(base) || /^(data|blob):/.test(request.url());
    if (!isOurs) troubles.push(`asked another host: ${request.url()}`);
  });
  return {browser, page, troubles};
}

// ---- counting

/** Runs the steps in order. Each builds on those before it: after a failed one the rest is skipped. */
export async function run(steps, onFailure) {
  const count = {passed: 0, failed: 0, skipped: 0};
  for (const [promise, step] of steps) {
    if (count.failed > 0) {
      count.skipped++;
      continue;
    }
    try {
      await step();
      count.passed++;
      console.log(`ok      ${promise}`);
    } catch (error) {
      count.failed++;
      console.log(`FAILED  ${promise}\n${error.stack}`);
      await onFailure().catch(() => {});
    }
  }
  return count;
}
