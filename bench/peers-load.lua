-- In place of ../shared/peers/apps/load.lua: the same for the peers, and homeport's own paths.
-- {hp} and {hpdom} are filled with ids that run-homeport has left in $PEERS_RUN/homeport. homeport refuses
-- a record that it has already, so its creates are made one by one, each with another name.
local COUNT = 10000
local requests, n = {}, 0
local path, method = os.getenv("LOAD_PATH"), os.getenv("LOAD_METHOD")
local domains

local function lines(name)
  local found = {}
  for line in io.lines((os.getenv("PEERS_RUN") or "/tmp/homeport-peers") .. "/homeport/" .. name) do
    found[#found + 1] = line
  end
  return found
end

function init()
  local token = os.getenv("LOAD_TOKEN")
  if token then wrk.headers["Authorization"] = "Bearer " .. token end
  if method == "POST" then wrk.headers["Content-Type"] = "application/json" end
  math.randomseed(os.time())
  local ids = path:find("{hp}") and lines("ids.txt")
  domains = path:find("{hpdom}") and lines("domains.txt")
  if domains and method == "POST" then
    n = os.time() % 1000000 * 100000
    return
  end
  for i = 1, COUNT do
    local id = math.random(1, 10000)
    local target = path:gsub("{id14}", string.format("%014d", id))
                       :gsub("{id}", id):gsub("{dom}", math.random(0, 99))
    if ids then target = target:gsub("{hp}", ids[id]) end
    if domains then target = target:gsub("{hpdom}", domains[id % 100 + 1]) end
    local body
    if method == "POST" then
      body = string.format('{"domain":"new%d.example.test","name":"bench%d","type":"A",' ..
                           '"value":"10.1.%d.%d","ttl":300}', i % 100, i, i % 250, id % 250)
    end
    requests[i] = wrk.format(method, target, nil, body)
  end
end

function request()
  if domains and method == "POST" then
    n = n + 1
    local body = string.format('{"name":"bench%d","type":"A","value":"10.1.2.%d","ttl":300}', n, n % 250)
    return wrk.format(method, (path:gsub("{hpdom}", domains[n % 100 + 1])), nil, body)
  end
  n = n % COUNT + 1
  return requests[n]
end
