// Every text of the page, in English and Chinese. {0}, {1} stand for what the caller puts in.
const words = {
  // The frame
  switchLanguage: ["中文", "English"],
  signOut: ["Sign out", "退出登录"],
  live: ["Live", "实时"],
  connecting: ["Connecting…", "连接中…"],
  offline: ["Connection lost, trying again…", "连接已断开，正在重试…"],
  loading: ["Loading…", "加载中…"],
  busy: ["Working…", "处理中…"],
  cancel: ["Cancel", "取消"],
  close: ["Close", "关闭"],
  save: ["Save", "保存"],
  more: ["Show more", "显示更多"],
  required: ["Please fill this in.", "此项必填。"],
  optional: ["optional", "选填"],
  reveal: ["Show", "显示"],
  conceal: ["Hide", "隐藏"],
  copy: ["Copy", "复制"],
  copied: ["Copied", "已复制"],
  noAnswer: ["homeport does not answer. Is it running, and is this device online?", "homeport 没有响应。它在运行吗？本机联网了吗？"],
  strangeAnswer: ["homeport answered HTTP {0} without saying why.", "homeport 返回 HTTP {0}，未说明原因。"],
  // Accounts
  setup: ["Set up homeport", "设置 homeport"],
  setupSay: ["Make the first administrator. homeport printed the setup token when it started.", "创建第一位管理员。安装令牌在 homeport 启动时已打印。"],
  setupSend: ["Make the administrator", "创建管理员"],
  signIn: ["Sign in", "登录"],
  register: ["Make an account", "注册账号"],
  toSignIn: ["I have an account: sign in", "已有账号，去登录"],
  ended: ["Your sign-in has ended. Please sign in again.", "登录已失效，请重新登录。"],
  token: ["Setup token", "安装令牌"],
  username: ["User name", "用户名"],
  email: ["Mail address", "邮箱"],
  account: ["User name or mail address", "用户名或邮箱"],
  password: ["Password", "密码"],
  passwordHint: ["At least 8 characters.", "至少 8 个字符。"],
  // Sources
  home: ["Home", "首页"],
  sources: ["Addresses now", "当前地址"],
  noSources: ["No addresses yet. Add a source: where homeport learns the address of this house.", "还没有地址。请先添加来源，让 homeport 知道本地的地址。"],
  addSource: ["Add a source", "添加来源"],
  editSource: ["Edit source {0}", "编辑来源 {0}"],
  changeAddress: ["Change address", "更改地址"],
  unknownAddress: ["not known yet", "尚未获知"],
  since: ["since {0}", "自 {0} 起"],
  name: ["Name", "名称"],
  kind: ["How the address is found", "地址获取方式"],
  "kind.http": ["Web services tell it", "由网络服务告知"],
  "kind.interface": ["A network interface of this machine", "本机网络接口"],
  "kind.fixed": ["Given by hand", "手动填写"],
  "kind.pushed": ["A router or program tells it", "由路由器或程序推送"],
  family: ["Address family", "地址类型"],
  urls: ["Services to ask, one per line", "查询服务，每行一个"],
  urlsHint: ["A majority must agree.", "以多数一致的结果为准。"],
  interval: ["Seconds between checks", "检查间隔（秒）"],
  interface: ["Interface", "接口"],
  interfaceHint: ["Such as eth0.", "例如 eth0。"],
  address: ["Address", "地址"],
  // Domains
  domains: ["Domains and records", "域名与记录"],
  noDomains: ["No domains yet. Add the zone that your DNS provider serves.", "还没有域名。请添加由 DNS 服务商托管的域名。"],
  addDomain: ["Add a domain", "添加域名"],
  domainName: ["Zone", "域名"],
  domainHint: ["Such as example.com.", "例如 example.com。"],
  provider: ["DNS provider", "DNS 服务商"],
  editDomain: ["Settings of {0}", "{0} 的设置"],
  settings: ["Settings", "设置"],
  isActive: ["Push changes to the provider", "向服务商推送更改"],
  onDrift: ["When somebody changes a record at the provider", "记录在服务商处被人更改时"],
  "drift.correct": ["Put it right", "自动改回"],
  "drift.report": ["Only show it", "仅显示"],
  replaceCredentials: ["Enter new credentials", "填写新的凭据"],
  inactive: ["switched off", "已停用"],
  import: ["Import", "导入"],
  importing: ["Importing what the provider has for {0}…", "正在导入服务商处 {0} 的记录…"],
  syncAll: ["Sync everything", "全部同步"],
  syncingAll: ["Pushing {0} records…", "正在推送 {0} 条记录…"],
  mapHint: ["One per line, such as Authorization: Bearer abc", "每行一个，例如 Authorization: Bearer abc"],
  "hint.callback.url": ["Placeholders: {name} {fqdn} {zone} {type} {value} {ttl}", "占位符：{name} {fqdn} {zone} {type} {value} {ttl}"],
  "hint.rfc2136.server": ["Such as ns1.example.com:53.", "例如 ns1.example.com:53。"],
  providerDefault: ["the usual", "默认"],
  // Records
  noRecords: ["No records yet. Add one, such as home, that follows an address.", "还没有记录。请添加一条跟随地址的记录，例如 home。"],
  addRecord: ["Add a record", "添加记录"],
  addRecordTo: ["New record in {0}", "在 {0} 中添加记录"],
  editRecord: ["Edit {0}", "编辑 {0}"],
  type: ["Type", "类型"],
  recordHint: ["@ for the zone itself, * for all names.", "@ 表示域名本身，* 表示所有名称。"],
  dynamic: ["Follows an address", "跟随地址"],
  source: ["Which address", "跟随的地址"],
  routerSource: ["What a router sends to /nic/update", "由路由器通过 /nic/update 推送"],
  suffix: ["Host part behind the prefix", "前缀后的主机部分"],
  suffixHint: ["::1234 or a MAC address, for another machine of this network.", "::1234 或 MAC 地址，用于同网络的其他机器。"],
  value: ["Value", "值"],
  ttl: ["Time to live in seconds", "TTL（秒）"],
  priority: ["Priority", "优先级"],
  proxied: ["Through Cloudflare's proxy", "经 Cloudflare 代理"],
  recordActive: ["Keep it at the provider", "在服务商处保持此记录"],
  follows: ["follows {0}", "跟随 {0}"],
  followsRouter: ["follows what a router sends to /nic/update", "由路由器通过 /nic/update 推送"],
  noValue: ["no address so far", "暂无地址"],
  syncedAt: ["at the provider since {0}", "{0} 已送达服务商"],
  sync: ["Sync", "同步"],
  edit: ["Edit", "编辑"],
  history: ["History", "历史"],
  delete: ["Delete", "删除"],
  "status.pending": ["pending", "等待中"],
  "status.synced": ["synced", "已同步"],
  "status.error": ["error", "出错"],
  "status.drifted": ["drifted", "已偏离"],
  "status.paused": ["paused", "已暂停"],
  nowIs: ["{0}: {1} {2}", "{0}：{1} {2}"],
  // History
  historyOf: ["History of {0}", "{0} 的历史"],
  noHistory: ["Nothing has been pushed yet.", "还没有推送过。"],
  "reason.created": ["made", "新建"],
  "reason.edited": ["edited", "编辑"],
  "reason.address": ["address changed", "地址变化"],
  "reason.forced": ["sync asked for", "手动同步"],
  "reason.drift": ["put right", "纠正偏离"],
  "reason.imported": ["imported", "导入"],
  "result.ok": ["done", "完成"],
  "result.unchanged": ["was so already", "原已如此"],
  "result.failed": ["failed", "失败"],
  took: ["{0} ms, tries: {1}", "{0} 毫秒，尝试 {1} 次"],
  // Deleting
  ask: ["Delete {0}?", "删除 {0}？"],
  askSource: ["homeport forgets this source.", "homeport 将不再使用此来源。"],
  askRecord: ["It is removed here, and at the provider if homeport made it.", "将从这里删除；若由 homeport 创建，也会从服务商处删除。"],
  askDomain: ["The domain and all its records are removed here.", "将从这里删除该域名及其所有记录。"],
  atProvider: ["Also remove at the provider what homeport made there", "同时删除 homeport 在服务商处创建的记录"],
  askKey: ["Whatever uses this key stops working at once.", "使用此密钥的程序将立即失效。"],
  deleted: ["{0} deleted", "已删除 {0}"],
  // Keys
  keys: ["Keys for routers", "路由器密钥"],
  noKeys: ["A router that knows its own address can tell homeport. Make a key for it.", "路由器知道自己的公网地址，可以告知 homeport。请为它创建密钥。"],
  addKey: ["Make a key for a router", "创建路由器密钥"],
  keyName: ["What is it for?", "用途"],
  keyMade: ["Key made", "密钥已创建"],
  keyOnce: ["Copy it now: homeport shows it only this once.", "请立即复制：密钥只显示这一次。"],
  keyPassword: ["Key, used as the password", "密钥（用作密码）"],
  keyUser: ["User name", "用户名"],
  keyUrl: ["Update URL", "更新网址"],
  keyUrlHint: ["Put your router's word for its address in place of <ipaddr>; some routers fill it in by themselves.", "请将 <ipaddr> 换成路由器用于地址的占位符；有些路由器会自动填写。"],
  keyNoNames: ["No record takes an address from a router yet: add a record that follows “What a router sends to /nic/update”, and put its full name in the URL.", "还没有记录接受路由器推送：请添加一条跟随“由路由器通过 /nic/update 推送”的记录，并将其全名填入网址。"],
  lastUsed: ["last used {0}", "上次使用 {0}"],
  neverUsed: ["never used", "从未使用"],
};

// What homeport itself says, in Chinese. A sentence that is not here is shown as it came.
const sentences = [
  [/^Some fields are wrong$/, "有些内容需要更正"],
  [/^Account or password is wrong$/, "账号或密码错误"],
  [/^The setup token is wrong or has expired; .*/, "安装令牌错误或已过期；请重启 homeport 获取新令牌"],
  [/^Registration is closed here$/, "此处不开放注册"],
  [/^Too many requests; .*/, "请求过多，请稍后再试"],
  [/^That name is taken$/, "该名称已被使用"],
  [/^There is such a record already, .*/, "已有相同的记录，或与 CNAME 记录冲突"],
  [/^Records follow this source; .*/, "有记录跟随此来源，请先为它们更换来源"],
  [/^The domain's provider cannot do this$/, "该服务商不支持此操作"],
  [/^There is no such thing here$/, "找不到该内容"],
  [/^Too busy just now; .*/, "当前繁忙，请稍后再试"],
  [/^is missing$/, "此项必填"],
  [/^must not be empty$/, "不能为空"],
  [/^must have at least 8 characters$/, "至少 8 个字符"],
  [/^is one of the most common passwords$/, "密码过于常见"],
  [/^must differ from the user name$/, "不能与用户名相同"],
  [/^must be a mail address such as (.*)$/, "须为邮箱地址，例如 $1"],
  [/^may hold letters, digits, dot, dash and underscore.*/, "只能包含字母、数字、点、连字符和下划线，且不能全为数字"],
  [/^must be an? (IPv[46]) address such as (.*)$/, "须为 $1 地址，例如 $2"],
  [/^must be an address that others can reach.*/, "须为他人可达的地址，不能是回环、链路本地或保留地址"],
  [/^must be a name such as (.*)$/, "须为名称，例如 $1"],
  [/^must be a full name such as ([^,]*).*$/, "须为完整名称，例如 $1"],
  [/^must be a whole number from (\d+) to (\d+)$/, "须为 $1 到 $2 之间的整数"],
  [/^must have (\d+) to (\d+) bytes$/, "长度须为 $1 到 $2 字节"],
  [/^must be http:\/\/ or https:\/\/ addresses.*/, "须为 http:// 或 https:// 网址，不含用户名，最多 8 个"],
  [/^must be host:port, such as (.*)$/, "须为 主机:端口，例如 $1"],
  [/^a zone's own name cannot be a CNAME.*/, "域名本身不能是 CNAME 记录"],
  [/^URL, with placeholders$/, "网址（可含占位符）"],
  [/^Method$/, "请求方法"],
  [/^Header fields$/, "请求头"],
  [/^Body, with placeholders$/, "请求体（可含占位符）"],
  [/^API token$/, "API 令牌"],
  [/^DNS server, host:port$/, "DNS 服务器（主机:端口）"],
  [/^TSIG key name$/, "TSIG 密钥名"],
  [/^TSIG algorithm$/, "TSIG 算法"],
  [/^TSIG secret, Base64$/, "TSIG 密钥（Base64）"],
  [/^HTTP callback$/, "HTTP 回调"],
  [/^Alibaba Cloud DNS$/, "阿里云 DNS"],
];

const KEEP = "homeport.language";
let language = localStorage.getItem(KEEP) ?? (/^zh\b/i.test(navigator.language) ? "zh" : "en");
useLanguage(language);

export function useLanguage(which) {
  language = which === "zh" ? "zh" : "en";
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
}

export function switchLanguage() {
  useLanguage(language === "zh" ? "en" : "zh");
  localStorage.setItem(KEEP, language);
}

/** The text of this name. */
export function t(name, ...parts) {
  const text = words[name][language === "zh" ? 1 : 0];
  return text.replace(/\{(\d)\}/g, (_, i) => parts[i] ?? "");
}

export function has(name) {
  return name in words;
}

/** A sentence of homeport's, in the reader's language where we know it. */
export function say(sentence) {
  if (language === "en") return sentence.replace(/^(must have .*) bytes$/, "$1 characters");
  const known = sentences.find(([pattern]) => pattern.test(sentence));
  return known ? sentence.replace(known[0], known[1]) : sentence;
}

/** A time as people of this language write it. */
export function time(iso) {
  const locale = navigator.language.startsWith(language) ? navigator.language : language;
  return new Intl.DateTimeFormat(locale, {dateStyle: "medium", timeStyle: "medium"}).format(new Date(iso));
}
