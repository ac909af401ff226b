// What the forms ask for. See form() in forms.js for what a field is.
import {has, say, t} from "/words.js";

/* Three services of different owners, so that a majority means something. */
const ECHO_SERVICES = {
  ipv4: ["https://api.ipify.org", "https://ipv4.icanhazip.com", "https://checkip.amazonaws.com"],
  ipv6: ["https://api6.ipify.org", "https://ipv6.icanhazip.com", "https://v6.ident.me"],
};
const TYPES = ["A", "AAAA", "CNAME", "MX", "TXT", "NS", "SRV", "CAA"];

const isAddress = (type) => type === "A" || type === "AAAA";
const choices = (prefix, names) => names.map((name) => [name, t(`${prefix}.${name}`)]);

// ---- sources

export function sourceFields() {
  const isKind = (...kinds) => (values) => kinds.includes(values.kind);
  const urls = (family) => ({name: "urls", label: t("urls"), type: "lines", required: true, hint: t("urlsHint"),
    value: ECHO_SERVICES[family],    when: (values) => values.kind === "http" && values.family === family});
  return [
    {name: "name", label: t("name"), required: true},
    {name: "kind", label: t("kind"), type: "select", options: choices("kind", ["http", "interface", "pushed", "fixed"])},
    {name: "family", label: t("family"), type: "select", options: [["ipv4", "IPv4"], ["ipv6", "IPv6"]]},
    urls("ipv4"), urls("ipv6"),
    {name: "interval", label: t("interval"), type: "number", required: true, value: "300", when: isKind("http")},
    {name: "interface", label: t("interface"), required: true, hint: t("interfaceHint"), when: isKind("interface")},
    {name: "value", label: t("address"), required: true, when: isKind("fixed")},
    {name: "value", label: t("address"), when: isKind("pushed")},
  ];
}

export function sourceEditFields(source) {
  const name = {name: "name", label: t("name"), required: true, value: source.name};
  switch (source.kind) {
  case "http":
    return [name,
      {name: "urls", label: t("urls"), type: "lines", required: true, hint: t("urlsHint"), value: source.urls},
      {name: "interval", label: t("interval"), type: "number", required: true, value: source.interval}];
  case "interface":
    return [name, {name: "interface", label: t("interface"), required: true, value: source.interface}];
  default:
    return [{name: "value", label: t("address"), required: true, value: source.address ?? source.value}, name];
  }
}

// ---- domains

/* A provider says what it wants in words of its own; its formats become ours here. */
function credentialField(provider, field, when) {
  const hint = `hint.${provider.name}.${field.name}`;
  const common = {name: `credentials.${field.name}`, label: say(field.title), required: field.required, when,
    hint: has(hint) ? t(hint) : ""};
  const isOpaque = field.secret && field.name !== "body";
  if (field.format.startsWith("choice:")) {
    const values = field.format.slice("choice:".length).split(",").map((value) => [value, value]);
    return {...common, type: "select", options: field.required ? values : [["", t("providerDefault")], ...values]};
  }
  if (field.format === "map") return {...common, type: "map", hint: t("mapHint")};
  if (field.name === "body") return {...common, type: "area"};
  return {...common, type: isOpaque && field.format !== "url" ? "password" : "text", complete: "new-password"};
}

const credentialFields = (provider, when) => provider.fields.map((field) => credentialField(provider, field, when));

export function domainFields(providers) {
  return [
    {name: "name", label: t("domainName"), required: true, hint: t("domainHint")},
    {name: "provider", label: t("provider"), type: "select", options: providers.map((one) => [one.name, say(one.title)])},
    ...providers.flatMap((one) => credentialFields(one, (values) => values.provider === one.name)),
  ];
}

export function domainEditFields(domain, provider) {
  return [
    {name: "is_active", label: t("isActive"), type: "checkbox", value: domain.is_active},
    {name: "on_drift", label: t("onDrift"), type: "select", value: domain.on_drift, options: choices("drift", ["correct", "report"])},
    {name: "replace", label: t("replaceCredentials"), type: "checkbox"},
    ...(provider ? credentialFields(provider, (values) => values.replace) : []),
  ];
}

// ---- records

export function recordFields({domain, sources, record = {}}) {
  const isNew = record.id === undefined;
  const familyOf = (values) => (values.type === "AAAA" ? "ipv6" : "ipv4");
  const sourceOptions = (values) => [
    ...[...sources.values()].filter((one) => one.family === familyOf(values))
      .map((one) => [one.id, `${one.name} (${one.address ?? t("unknownAddress")})`]),
    ["", t("routerSource")],
  ];
  return [
    {name: "name", label: t("name"), required: true, hint: t("recordHint"), value: record.name},
    {name: "type", label: t("type"), type: "select", value: record.type, options: TYPES.map((type) => [type, type])},
    {name: "dynamic", label: t("dynamic"), type: "checkbox", value: isNew || record.dynamic, off: false,
      when: (values) => isAddress(values.type)},
    {name: "source_id", label: t("source"), type: "select", value: isNew ? undefined : record.source_id ?? "", options: sourceOptions,
      when: (values) => values.dynamic, off: null},
    {name: "ipv6_suffix", label: t("suffix"), hint: t("suffixHint"), value: record.ipv6_suffix,
      when: (values) => values.dynamic && values.type === "AAAA", off: null},
    {name: "value", label: t("value"), required: true, value: record.value, when: (values) => !values.dynamic},
    {name: "priority", label: t("priority"), type: "number", required: true, value: record.priority ?? "10",
      when: (values) => values.type === "MX" || values.type === "SRV"},
    {name: "ttl", label: t("ttl"), type: "number", required: true, value: record.ttl ?? "600"},
    {name: "proxied", label: t("proxied"), type: "checkbox", value: record.proxied, off: false,
      when: (values) => domain.provider === "cloudflare" && (isAddress(values.type) || values.type === "CNAME")},
    {name: "is_active", label: t("recordActive"), type: "checkbox", value: isNew || record.is_active},
  ];
}

// ---- keys

export function keyFields() {
  return [{name: "name", label: t("keyName"), required: true, value: "router"}];
}
